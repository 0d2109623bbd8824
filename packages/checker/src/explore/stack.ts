// SPDX-License-Identifier: MIT
import type { AccessSite, Frame } from './execution.js';

/** The explorer's function below which the stack is the thread's own. */
const BOTTOM = 'resumeKernelCode';

const asIs = (_: Error, sites: NodeJS.CallSite[]): NodeJS.CallSite[] => sites;

/** The JavaScript stack, as the engine has it. `above` is the innermost function that is not part of it. */
function capture(above: (...args: never[]) => unknown): NodeJS.CallSite[] {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const holder: { stack?: NodeJS.CallSite[] } = {};
  Error.prepareStackTrace = asIs;
  Error.stackTraceLimit = 64;
  Error.captureStackTrace(holder, above);
  const sites = holder.stack ?? [];
  Error.prepareStackTrace = prepareStackTrace;
  Error.stackTraceLimit = stackTraceLimit;
  return sites;
}

/** The kernel functions of a stack, innermost first. */
function kernelFrames(sites: readonly NodeJS.CallSite[]): Frame[] {
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
  /** By the positions of all entries: cheaper to ask for than names and lines, and as telling while the files are the same. */
  private readonly byPosition = new Map<string, { readonly site: AccessSite; readonly file: string }>();

  capture(code: number, above: (...args: never[]) => unknown): AccessSite {
    const stack = capture(above);
    let key = `${code}`;
    for (let i = 0; i < stack.length; i++) key += ` ${stack[i].getPosition()}:${stack[i].getFileName()?.length}`;
    const file = stack[1]?.getFileName() ?? '';
    const before = this.byPosition.get(key);
    if (before !== undefined && before.file === file) return before.site;
    const site = this.siteOf(code, kernelFrames(stack));
    this.byPosition.set(key, { site, file });
    return site;
  }

  private siteOf(code: number, frames: readonly Frame[]): AccessSite {
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
