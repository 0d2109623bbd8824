// SPDX-License-Identifier: MIT
import type { AccessSite, Frame } from './execution.js';

/** The explorer's function below which the stack is the thread's own. */
export const BOTTOM = 'resumeKernelCode';

const asIs = (_: Error, sites: NodeJS.CallSite[]): NodeJS.CallSite[] => sites;

/** The kernel functions on the JavaScript stack, innermost first. `above` is the innermost function that is not part of it. */
function captureFrames(above: (...args: never[]) => unknown): Frame[] {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const holder: { stack?: NodeJS.CallSite[] } = {};
  Error.prepareStackTrace = asIs;
  Error.stackTraceLimit = 64;
  Error.captureStackTrace(holder, above);
  const sites = holder.stack ?? [];
  Error.prepareStackTrace = prepareStackTrace;
  Error.stackTraceLimit = stackTraceLimit;
  const frames: Frame[] = [];
  for (const site of sites) {
    const name = site.getFunctionName() ?? '';
    if (name === BOTTOM || name.endsWith(`.${BOTTOM}`)) break;
    const file = site.getFileName();
    if (file === null || file === undefined || site.isNative()) continue;
    frames.push({ name, file, line: site.getLineNumber() ?? 0, column: site.getColumnNumber() ?? 0 });
  }
  // The innermost frame is the access object's own next().
  return frames.slice(1);
}

/** One object for each call stack and primitive. */
export class Sites {
  private readonly known = new Map<string, AccessSite>();

  capture(code: number, above: (...args: never[]) => unknown): AccessSite {
    const frames = captureFrames(above);
    const key = `${code} ${frames.map((f) => `${f.file}:${f.line}:${f.column}`).join(' ')}`;
    const found = this.known.get(key);
    if (found !== undefined) return found;
    const site: AccessSite = { code, frames };
    this.known.set(key, site);
    return site;
  }

  all(): readonly AccessSite[] {
    return [...this.known.values()];
  }
}
