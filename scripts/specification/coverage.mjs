// SPDX-License-Identifier: MIT
// @ts-check
import { Session } from 'node:inspector';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What V8 says was executed: functions of the packages' builds, as `package/file.ts#function`. */
export class Coverage {
  #session = new Session();

  constructor() {
    this.#session.connect();
    this.#post('Profiler.enable', {});
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  }

  /** Functions executed since the last call. @returns {Set<string>} */
  take() {
    /** @type {Set<string>} */
    const executed = new Set();
    for (const { url, functions } of this.#post('Profiler.takePreciseCoverage', {}).result) {
      const place = placeOf(url);
      if (place === null) continue;
      for (const { functionName, ranges } of functions)
        if (functionName !== '' && (ranges[0]?.count ?? 0) > 0)
          executed.add(`${place}#${functionName.replace(/^.*\./, '')}`);
    }
    return executed;
  }

  /** @param {string} method @param {object} parameters @returns {any} */
  #post(method, parameters) {
    let answer;
    // A session on one's own thread answers at once.
    this.#session.post(method, parameters, (error, result) => {
      if (error !== null) throw error;
      answer = result;
    });
    return answer;
  }
}

/** `…/packages/mm/dist/memory.js`: `mm/memory.ts`. @param {string} url @returns {string | null} */
function placeOf(url) {
  if (!url.startsWith('file:')) return null;
  const match = /packages\/([^/]+)\/dist\/(.*)\.js$/.exec(fileURLToPath(url).split(sep).join('/'));
  return match === null ? null : `${match[1]}/${match[2]}.ts`;
}
