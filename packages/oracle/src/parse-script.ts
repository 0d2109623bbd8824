// SPDX-License-Identifier: GPL-2.0-only
import { type Context, OPERATIONS } from './grammar.js';
import { Line, ScriptError } from './line.js';
import { arenaPages, Living, MAX_FILE_PAGES, MAX_FILES, type Script, type ScriptFile, type Step } from './script.js';

/** Reads a script: `arena huge` or nothing, a line for each file and for each step; `#` begins a comment. Throws a {@link ScriptError}. */
export function parseScript(text: string, name: string): Script {
  const files: ScriptFile[] = [];
  const steps: Step[] = [];
  const living = new Living();
  let huge = false;
  text.split('\n').forEach((raw, i) => {
    const words = raw.replace(/#.*/, '').trim().split(/\s+/);
    if (words[0] === '') return;
    const line = new Line(words, arenaPages({ huge }), (problem) => new ScriptError(name, i + 1, problem));
    if (words[0] === 'arena') {
      if (steps.length > 0 || files.length > 0) throw line.wrong('the arena comes before everything else');
      line.word('arena');
      huge = line.oneOf(['huge'] as const) === 'huge';
      line.end();
      return;
    }
    if (words[0] === 'file') {
      if (steps.length > 0) throw line.wrong('files come before the first step');
      files.push(parseFile(line, files.length));
      return;
    }
    const step = parseStep(line, { files: files.length, living });
    living.follow(step);
    steps.push(step);
  });
  return huge ? { huge, files, steps } : { files, steps };
}

function parseFile(line: Line, number: number): ScriptFile {
  line.word('file');
  if (number === MAX_FILES) throw line.wrong(`expected at most ${MAX_FILES} files`);
  line.number('the number of the next file', number, number);
  const kind = line.oneOf(['disk', 'memory'] as const);
  const pages = line.number('its pages', 0, MAX_FILE_PAGES);
  line.end();
  return { kind, pages };
}

function parseStep(line: Line, context: Context): Step {
  const process = line.process('a process');
  if (!context.living.has(process)) throw line.wrong(`there is no process P${process} here`);
  const op = line.oneOf(Object.keys(OPERATIONS) as Step['op'][]);
  const given = OPERATIONS[op].map((parameter) => parameter.read(line, context));
  line.end();
  // The table has for each step what its type has.
  return Object.assign({ op, process }, ...given) as Step;
}
