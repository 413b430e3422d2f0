/** As Lumino's, without a page that it is on. */
export class Widget {
  node = {
    children: [],
    appendChild(child) {
      this.children.push(child);
    }
  };
}
