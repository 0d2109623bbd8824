// SPDX-License-Identifier: MIT
import { styleText } from 'node:util';
import {
  type CheckResult,
  extentOf,
  type FormatOptions,
  formatResult,
  type Paint,
  type TextRole,
} from '@lockless/checker';
import { shellWords } from '@lockless/report';
import { EXIT } from './exit-code.js';
import type { Output } from './io.js';

const STYLES: Readonly<Record<TextRole, Parameters<typeof styleText>[0]>> = {
  title: 'bold',
  head: 'bold',
  function: 'dim',
  note: 'dim',
};

/** How a result is laid out on this output. `argument`: how the user called the program. */
export function formatFor(stdout: Output, argument: (scenario: string) => string): FormatOptions {
  const color = stdout.isTTY === true && !process.env.NO_COLOR;
  const paint: Paint = (role, text) => (color ? styleText(STYLES[role], text, { validateStream: false }) : text);
  return {
    width: Math.max(72, stdout.columns || 120),
    paint,
    replayCommand: (result, token) => replayLine(result, token, argument),
  };
}

function replayLine(
  { scenario, model, without }: CheckResult,
  token: string,
  argument: (scenario: string) => string,
): string {
  const named = argument(scenario);
  const options = [...(model === 'lkmm' ? [] : ['--model', model]), ...without.flatMap((name) => ['--without', name])];
  return `replay: ${shellWords(['lockless', 'check', named, ...options, '--replay', token])}`;
}

/** What scripts get of a result: its shape is documented in docs/command-line.md. */
export function jsonOf(result: CheckResult): Record<string, unknown> {
  const { violations: _all, checkpoint: _file, sites, guards, ...rest } = result;
  return { ...rest, sites: sites.map(({ name }) => name), guards: guards.map(({ name }) => name) };
}

/** The worst of several results decides. */
export function exitCodeOf(results: readonly CheckResult[], interrupted: boolean): number {
  if (results.some(({ verdict }) => verdict === 'violated')) return EXIT.violated;
  if (interrupted) return EXIT.interrupted;
  return results.some(({ verdict }) => verdict === 'bounded') ? EXIT.bounded : EXIT.holds;
}

const HEADS = ['scenario', 'verdict', 'executions', 'blocked', 'events', 'seconds'] as const;

/** A line of the table of several results. The names are known beforehand, so each line is printed when its check ends. */
export class ResultTable {
  private readonly names: number;

  constructor(names: readonly string[]) {
    this.names = Math.max(HEADS[0].length, ...names.map((name) => name.length));
  }

  head(): string {
    return this.line(HEADS);
  }

  row({ scenario, verdict, executions, blocked, events, seconds }: CheckResult): string {
    const count = (n: number): string => n.toLocaleString('en-US');
    return this.line([scenario, verdict, count(executions), count(blocked), count(events), seconds.toFixed(2)]);
  }

  private line([name, verdict, ...numbers]: readonly string[]): string {
    return `${name.padEnd(this.names)}  ${verdict.padEnd(8)}  ${numbers.map((text) => text.padStart(10)).join('  ')}`.trimEnd();
  }
}

/** What follows the table: why a check was bounded, the counterexamples, and the sum. */
export function afterTable(results: readonly CheckResult[], format: FormatOptions): string {
  const told = results.filter(({ verdict }) => verdict !== 'holds').map((result) => formatResult(result, format));
  const number = (verdict: CheckResult['verdict']): number =>
    results.filter((result) => result.verdict === verdict).length;
  const parts = (['holds', 'violated', 'bounded'] as const).flatMap((verdict) =>
    number(verdict) > 0 ? [`${number(verdict)} ${verdict}`] : [],
  );
  const [one] = results;
  const sum = results.length === 1 && one.verdict === 'holds' ? extentOf(one) : parts.join(', ');
  return [...told, sum].join('\n\n');
}
