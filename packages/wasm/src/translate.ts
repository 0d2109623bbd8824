// SPDX-License-Identifier: MIT
import { bodyOf, call } from './calls.js';
import { Program, type ThreadName } from './program.js';
import { Frame, type Local } from './scope.js';
import { block } from './statements.js';
import { assigns } from './syntax.js';
import { type Setting, type ThreadFields, Translator } from './translator.js';
import { join, type Type } from './word.js';

/** What is translated, and from what. */
export interface TranslateOptions {
  /** A compiled module. Its exports that are functions are translated, with all they call; `javascript`, if it exports that, names functions that stay. */
  readonly entry: string;
  /** Names of parameters of exported functions that are unsigned: indices that may pass 2^31. */
  readonly unsigned?: readonly string[];
  /** Which of the two tables of primitives; see the native build of cpu. */
  readonly primitives?: 'fast' | 'strict';
  /** Traps where a number needs more than 32 bits, where an address is none, and where a function does not leave the thread as it found it: for tests. */
  readonly checked?: boolean;
  /** Where memory and thread are: an object with `words` and `thisCpu`. Default: `attached` of `@lockless/cpu/native`. */
  readonly thread?: ThreadName;
  /** What else of that object is constant, and what it is: `{ quietRcu: true }`. */
  readonly constants?: Readonly<Record<string, number | boolean>>;
}

const CPU: ThreadName = { module: '@lockless/cpu/native', name: 'attached' };
const FIELDS: ThreadFields = {
  constants: ['id', 'fence'],
  counters: ['preemptCount', 'rcuReaders'],
  given: 'rcuReaders',
  flags: ['irqsDisabled'],
};
/** Turns after which types that still change are an error in the translator. */
const MOST_TURNS = 50;

/** The exported functions of a module as WebAssembly text. Throws WasmError for what is outside the subset. */
export async function translate(options: TranslateOptions): Promise<string> {
  const { entry, unsigned = [], primitives = 'fast', checked = false, thread: named = CPU } = options;
  const program = await Program.load(entry, named, primitives);
  try {
    const thread = Object.assign(program.exports.$thread as Setting['thread'], options.constants);
    const stays = Object.entries((program.exports.javascript ?? {}) as Record<string, unknown>);
    const setting: Setting = {
      program,
      thread,
      fields: FIELDS,
      constants: ['words', 'thisCpu', ...Object.keys(options.constants ?? {})],
      javascript: new Map(stays.map(([name, fn]) => [fn, name])),
      checked,
      imports: new Map(),
    };
    const functions = Object.entries(program.exports).filter(
      ([name, fn]) => typeof fn === 'function' && !name.startsWith('$'),
    );
    functions.sort(([a], [b]) => (a < b ? -1 : 1));
    const texts = functions.map(([name, fn]) => exported(setting, name, fn, unsigned));
    return moduleText(setting, texts);
  } finally {
    program.close();
  }
}

/** One exported function. It is translated until nothing new is learnt of the types of its variables. */
function exported(setting: Setting, name: string, fn: unknown, unsigned: readonly string[]): string {
  const types = new Map<string, Local>();
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const translator = new Translator(setting, { call, block }, types);
    const text = oneTurn(translator, name, fn, unsigned);
    if (!translator.learnt) return text;
  }
  throw new Error(`the types of ${name} do not settle`);
}

function oneTurn(t: Translator, name: string, fn: unknown, unsigned: readonly string[]): string {
  const source = t.setting.program.source(fn);
  if (source === null) throw new Error(`${name} has no text that could be translated`);
  const frame = new Frame(source, t.names.label('f'), t.names.result('result'));
  const parameters = source.node.params.map((parameter) => {
    if (parameter.type !== 'Identifier') throw t.refuse(parameter, 'a parameter of an exported function is a name');
    const local = t.names.result(parameter.name);
    // What it is given, and what the function may make of it.
    local.type = join(local.type, unsigned.includes(parameter.name) ? 'uint' : 'int') ?? 'int';
    local.constant = !assigns(source.node, parameter.name);
    frame.bind(parameter.name, { local });
    return `(param ${local.name} i32)`;
  });
  t.frames.push(frame);
  const result = t.word(bodyOf(t, frame, ''), source.node);
  t.frames.pop();
  const locals = t.names.locals.map((local) => `(local ${local} i32)`).join(' ');
  const { given } = t.setting.fields;
  // JavaScript that is called looks at it, too.
  const wantsGiven = [`(global.get $${given})`, `(global.set $${given} `, '(call $js'].some((use) =>
    result.text.includes(use),
  );
  const last = wantsGiven ? '(param $given i32)' : '';
  const begin = wantsGiven ? `(global.set $${given} (local.get $given))` : '';
  const signature = `${parameters.join(' ')} ${last} ${wordOf(result.type)}`;
  return `(func (export "${name}") ${signature} ${locals}\n${begin}\n${result.text}\n${asBefore(t.setting, wantsGiven)})`;
}

/** In the checked form: a trap unless the function leaves the thread as it found it. */
function asBefore({ checked, fields }: Setting, wantsGiven: boolean): string {
  if (!checked) return '';
  const { counters, flags, given } = fields;
  const others = [...counters, ...flags].filter((field) => field !== given).map((field) => `(global.get $${field})`);
  const changed = wantsGiven ? [...others, `(i32.ne (global.get $${given}) (local.get $given))`] : others;
  return changed.map((each) => `(if ${each} (then (unreachable)))`).join(' ');
}

const wordOf = (type: Type): string => (type === 'none' ? '' : '(result i32)');

/** Traps of the checked form: the number must be the word. */
const CHECKS = `
(func $exact_s (param $x i64) (result i32)
  (if (i64.ne (local.get $x) (i64.extend_i32_s (i32.wrap_i64 (local.get $x)))) (then (unreachable)))
  (i32.wrap_i64 (local.get $x)))
(func $exact_u (param $x i64) (result i32)
  (if (i64.ne (local.get $x) (i64.extend_i32_u (i32.wrap_i64 (local.get $x)))) (then (unreachable)))
  (i32.wrap_i64 (local.get $x)))
(func $address (param $x i32) (result i32)
  (if (i32.ge_u (local.get $x) (i32.const 0x40000000)) (then (unreachable)))
  (local.get $x))`;

function moduleText({ fields, imports, checked }: Setting, functions: readonly string[]): string {
  const state = [...fields.counters, ...fields.flags];
  const parts = [
    '(import "machine" "memory" (memory 1 65536 shared))',
    ...fields.constants.map((field) => `(import "machine" "${field}" (global $${field} i32))`),
    ...[...imports].map(([field, id]) => importText(field, id)),
    ...state.map((field) => `(global $${field} (export "${field}") (mut i32) (i32.const 0))`),
    ...(checked ? [CHECKS] : []),
    ...functions,
  ];
  return `(module\n${parts.join('\n')})\n`;
}

function importText(field: string, id: string): string {
  const words = (JSON.parse(field) as unknown[]).slice(1).filter((each) => typeof each === 'object');
  const text = field.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  return `(import "javascript" "${text}" (func ${id} ${words.map(() => '(param i32)').join(' ')} (result i32)))`;
}
