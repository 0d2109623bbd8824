// SPDX-License-Identifier: MIT
import { type Cell, columns, type Paint, wrap } from './format-columns.js';
import type { CheckResult, Step, Violation } from './result.js';
import { withoutWrappers } from './wrappers.js';

export interface FormatOptions {
  /** Columns of the terminal. Default 100. */
  readonly width?: number;
  /** Colours text by what it is. Default: none. */
  readonly paint?: Paint;
  /** The command that repeats a violation. Default: names the token alone. */
  readonly replayCommand?: (result: CheckResult, token: string) => string;
}

/** `lookup-vs-reclaim, model lkmm, without findGetPage.slotRecheck`. */
const scopeOf = ({ scenario, model, without }: CheckResult): string =>
  [scenario, `model ${model}`, ...(without.length > 0 ? [`without ${without.join(', ')}`] : [])].join(', ');

const count = (n: number, what: string): string => `${n.toLocaleString('en-US')} ${what}${n === 1 ? '' : 's'}`;

/** How much was looked at, in words: `6 executions, all there are of 2 threads and up to 8 events`. */
export function extentOf(result: CheckResult): string {
  const { verdict, executions, blocked, events, threads, bound, violation } = result;
  if (result.replayed) return 'replayed';
  const seen = count(executions, 'execution') + (blocked > 0 ? ` and ${count(blocked, 'blocked one')}` : '');
  if (verdict === 'bounded') return `${seen}, then stopped: ${bound}`;
  if (verdict === 'violated' && violation?.kind !== 'unreached')
    return executions === 0 ? 'in the first execution' : `after ${seen}`;
  return `${seen}: all that the model allows, of ${count(threads, 'thread')} and at most ${count(events, 'event')}`;
}

/** A result as text: for a violation the counterexample, in columns. */
export function formatResult(result: CheckResult, options: FormatOptions = {}): string {
  const { width = 100, paint = (_, text) => text } = options;
  if (result.violation === undefined) {
    const lines = [`${result.verdict}: ${scopeOf(result)}`, extentOf(result)];
    return lines
      .flatMap((line, i) => wrap(line, width).map((part) => (i === 0 ? paint('title', part) : part)))
      .join('\n');
  }
  return formatViolation(result, result.violation, width, paint, options).join('\n');
}

function formatViolation(
  result: CheckResult,
  violation: Violation,
  width: number,
  paint: Paint,
  { replayCommand }: FormatOptions,
): string[] {
  const { kind, at, message, trace, forbidden, replay } = violation;
  const title = `violated: ${message}`;
  const scope = scopeOf(result);
  const gap = width - title.length - scope.length;
  const lines = wrap(title, width).map((line) => paint('title', line));
  if (gap >= 2) lines[0] += ' '.repeat(gap) + paint('note', scope);
  else lines.push(...wrap(scope, width - 2).map((line) => paint('note', `  ${line}`)));
  if (trace.length > 0) lines.push(...columnsOf(violation, width, paint));
  lines.push(...wrap(`${kind}${at === '' ? '' : ` in ${at}`}, ${extentOf(result)}`, width));
  if (forbidden !== null)
    lines.push(...wrap(`with ${result.without.join(', ')} in place it is forbidden by ${forbidden}`, width));
  if (replay !== '') lines.push(replayCommand?.(result, replay) ?? `replay: ${replay}`);
  return lines;
}

/** A column for each thread that takes part; functions as they change, steps below them. */
function columnsOf({ trace, threads }: Violation, width: number, paint: Paint): string[] {
  const inside = new Map<string, string>();
  const cells: Cell[] = [];
  for (const step of trace) {
    const column = threads.indexOf(step.thread);
    const place = functionsOf(step);
    if (inside.get(step.thread) !== place) {
      inside.set(step.thread, place);
      cells.push({ column, label: '', text: place, role: 'function', indent: 0 });
    }
    const origin = step.from === 'initial' ? ' (initial)' : '';
    const note = step.note === null ? '' : `  <- ${step.note}`;
    cells.push({ column, label: String(step.number), text: step.text + origin + note, role: null, indent: 2 });
  }
  return columns(threads, cells, width, paint);
}

/** `findGetPage > pageCacheGetSpeculative`: the two innermost functions, without the thread's own. */
function functionsOf({ frames, thread }: Step): string {
  const names = withoutWrappers(frames)
    .map(({ name }) => name)
    .filter((name, i) => i === 0 || name !== thread);
  return names.slice(0, 2).reverse().join(' > ');
}
