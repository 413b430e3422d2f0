const ID = /^\d{6}-[0-9a-z]{8}$/;

/** Whether this is the id of a run or of a cluster: nothing else becomes part of an address or of code. */
export function isId(text: unknown): text is string {
  return typeof text === 'string' && ID.test(text);
}
