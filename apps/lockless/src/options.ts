// SPDX-License-Identifier: MIT
import { InvalidArgumentError } from 'commander';

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };
const PAGE = 4096;

/** Simulated memory: bytes, or a share of what the program needs. */
export type MemorySize = { readonly pages: number } | { readonly percent: number };

/** `64M`, `1G`, `8192K`, `268435456`, or `25%` of the recording's footprint. */
export function memorySize(text: string): MemorySize {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (percent !== null) {
    const value = Number(percent[1]);
    if (value <= 0) throw new InvalidArgumentError('expected more than 0%');
    return { percent: value };
  }
  const match = /^(\d+(?:\.\d+)?)([KMG]?)(?:i?B)?$/i.exec(text);
  if (match === null)
    throw new InvalidArgumentError(
      `expected a size such as 64M, 1G or 8192K, or a share of the footprint such as 25%, got "${text}"`,
    );
  const pages = Math.floor((Number(match[1]) * UNITS[(match[2] ?? '').toUpperCase()]) / PAGE);
  if (pages < 256) throw new InvalidArgumentError(`expected at least 1M, got "${text}"`);
  if (pages > 2 ** 19) throw new InvalidArgumentError(`expected at most 2G, got "${text}"`);
  return { pages };
}

/** A whole number within limits. */
export function wholeNumber(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < low || value > high)
      throw new InvalidArgumentError(`expected a whole number from ${low} to ${high}, got "${text}"`);
    return value;
  };
}

export const INJECTABLE = ['enomem', 'eio', 'enospc', 'signal'] as const;
export type Injection = Partial<Record<(typeof INJECTABLE)[number], number>>;

/** `enomem=1%`, `eio=0.01`; may be repeated. */
export function injection(text: string, before: Injection = {}): Injection {
  const match = /^([a-z]+)=(\d+(?:\.\d+)?(?:e-\d+)?)(%?)$/.exec(text);
  const kind = INJECTABLE.find((name) => name === match?.[1]);
  if (match === null || kind === undefined) {
    throw new InvalidArgumentError(
      `expected KIND=RATE with KIND one of ${INJECTABLE.join(', ')}, for example enomem=1%, got "${text}"`,
    );
  }
  const rate = Number(match[2]) / (match[3] === '%' ? 100 : 1);
  if (rate > 1) throw new InvalidArgumentError(`expected a rate from 0 to 1 (or 0% to 100%), got "${text}"`);
  return { ...before, [kind]: rate };
}

/** An option that may be given several times: its values in order. */
export const repeated = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];
