import { UUID } from '@lumino/coreutils';

import { ServerError } from './rest';

/** One thing to be sent off, however often somebody presses: what the server gets twice under one key it does once. */
export class Keyed {
  /** Send it. Throws what the request throws. */
  async send<T>(request: (key: string) => Promise<T>): Promise<T> {
    try {
      return await request(this._key);
    } catch (error) {
      // What may have been done is not done again; what was refused may be.
      if (!(error instanceof ServerError && error.unheard)) {
        this._key = UUID.uuid4();
      }
      throw error;
    }
  }

  private _key = UUID.uuid4();
}
