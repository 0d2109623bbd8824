// SPDX-License-Identifier: GPL-2.0-only
import type { Script, ScriptFile, Step } from './script.js';

/** A script as text, which `parseScript` reads. */
export function formatScript({ files, steps }: Script): string {
  return [...files.map(formatFile), ...steps.map(formatStep)].map((line) => `${line}\n`).join('');
}

const formatFile = ({ kind, pages }: ScriptFile, number: number): string => `file ${number} ${kind} ${pages}`;

/** One line, without its end. */
export const formatStep = (step: Step): string => `P${step.process} ${step.op}${argumentsOf(step)}`;

const range = ({ at, pages }: { at: number; pages: number }): string => ` ${at}+${pages}`;

function argumentsOf(step: Step): string {
  switch (step.op) {
    case 'mmap': {
      const sharing = step.shared ? 'shared' : 'private';
      const file = step.file === null ? '' : ` file ${step.file} from ${step.index}`;
      return `${range(step)} ${step.prot} ${sharing}${file}`;
    }
    case 'read':
    case 'write':
      return ` ${step.at}`;
    case 'fork':
      return ` P${step.child}`;
    case 'exit':
      return '';
    case 'munmap':
    case 'mlock':
    case 'munlock':
      return range(step);
    case 'mremap':
      return `${range(step)} ${step.to}+${step.newPages}`;
    case 'mprotect':
      return `${range(step)} ${step.prot}`;
    case 'madvise':
      return `${range(step)} ${step.advice}`;
    case 'msync':
      return `${range(step)} ${step.mode}`;
    case 'truncate':
      return ` ${step.file} ${step.pages}`;
  }
}
