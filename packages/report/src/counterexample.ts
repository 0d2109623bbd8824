// SPDX-License-Identifier: MIT
import { printable } from './command-line.js';
import type { Layout } from './layout.js';
import { count, milliseconds, percent, plural } from './numbers.js';
import type { RunResult, ViolationReport } from './run-result.js';

type Stack = ViolationReport['stacks'][number];

/** Frames shown of the context that broke the rule, and of each other one. */
const FRAMES = 16;
const FRAMES_OF_OTHERS = 8;
/** Tasks off CPU that are shown. */
const SLEEPERS = 12;

/** What was violated, then what every CPU was doing, side by side, the guilty one first. */
export function counterexample(result: RunResult, layout: Layout): string[] {
  const { violation: v } = result;
  if (v === null) return [];
  const guilty = v.stacks.find(({ cpu }) => cpu === v.cpu);
  const busy = v.stacks.filter((s) => s.cpu >= 0 && s !== guilty && s.frames.length > 0);
  const blocks = [guilty, ...busy].flatMap((stack) => (stack ? [block(stack, stack === guilty, layout)] : []));
  return [
    ...title(result, v, layout),
    ...v.message.split('\n').flatMap((line) => layout.wrap(printable(line))),
    ...layout.wrap(
      `CPU ${v.cpu}, ${v.task}, at ${milliseconds(v.time)}, after ${count(result.operations)} of ${count(result.operationsTotal)} operations (${percent(result.operations / Math.max(1, result.operationsTotal))})`,
    ),
    '',
    ...layout.beside(blocks),
    ...quiet(v, guilty, layout),
    '',
    ...layout.command('repeat:', result.replay),
  ];
}

/** The broken rule to the left; where it broke to the right, or below. */
function title({ recording, configuration: c }: RunResult, v: ViolationReport, layout: Layout): string[] {
  const rule = `violated: ${v.kind}`;
  const name = recording.path.replace(/^.*\//, '').replace(/\.lkr(\.gz)?$/, '');
  const where = [
    name,
    plural(c.cpus, 'CPU'),
    `model ${c.model}`,
    ...(c.without.length === 0 ? [] : [`without ${c.without.join(', ')}`]),
  ];
  return layout.ends(rule, where.join(', '), ['bold', 'red']);
}

function block(stack: Stack, guilty: boolean, layout: Layout): string[] {
  const limit = guilty ? FRAMES : FRAMES_OF_OTHERS;
  const frames = stack.frames.slice(0, limit).map((frame, i) => {
    const here = guilty && i === 0;
    return here ? `  ${layout.paint(['bold', 'red'], `${frame}  <- here`)}` : `  ${frame}`;
  });
  const cut = stack.frames.length - limit;
  if (cut > 0) frames.push(`  ... ${cut} more`);
  const status =
    stack.status === undefined || stack.status === 'running' ? [] : [`  ${layout.paint('dim', `(${stack.status})`)}`];
  return [layout.paint('bold', `CPU ${stack.cpu}  ${stack.task}`), ...status, ...frames];
}

const doing = ({ task, status }: Stack): string => (status ? `${task} (${status})` : task);

/** CPUs without kernel code on them in one line; of tasks on no CPU, one line each. */
function quiet(v: ViolationReport, guilty: Stack | undefined, layout: Layout): string[] {
  const idle = v.stacks.filter((s) => s.cpu >= 0 && s !== guilty && s.frames.length === 0);
  const asleep = v.stacks.filter((s) => s.cpu < 0);
  const byTask = new Map<string, number[]>();
  for (const stack of idle) byTask.set(doing(stack), [...(byTask.get(doing(stack)) ?? []), stack.cpu]);
  const lines = [...byTask].flatMap(([task, cpus]) =>
    layout.wrap(`CPU ${cpus.join(', ')}  ${task}`, ' '.repeat(4), '  '),
  );
  for (const stack of asleep.slice(0, SLEEPERS)) {
    const frames = stack.frames.slice(0, 5).join(' < ');
    lines.push(...layout.wrap(`off CPU  ${doing(stack)}${frames && `: ${frames}`}`, ' '.repeat(4), '  '));
  }
  if (asleep.length > SLEEPERS) lines.push(`  and ${asleep.length - SLEEPERS} more tasks on no CPU`);
  return lines.length > 0 ? ['', ...lines] : [];
}
