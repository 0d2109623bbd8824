// SPDX-License-Identifier: GPL-2.0-only
import { OPERATIONS } from './grammar.js';
import type { Script, ScriptFile, Step } from './script.js';

/** A script as text, which `parseScript` reads. */
export function formatScript({ huge, files, steps }: Script): string {
  return [...(huge === true ? ['arena huge'] : []), ...files.map(formatFile), ...steps.map(formatStep)]
    .map((line) => `${line}\n`)
    .join('');
}

const formatFile = ({ kind, pages }: ScriptFile, number: number): string => `file ${number} ${kind} ${pages}`;

/** One line, without its end. */
export const formatStep = (step: Step): string =>
  [`P${step.process} ${step.op}`, ...OPERATIONS[step.op].map(({ write }) => write(step as never))].join(' ');
