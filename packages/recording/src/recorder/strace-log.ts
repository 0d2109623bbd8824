// SPDX-License-Identifier: MIT
import { RecorderError } from '../error.js';

/** One finished system call of a strace log. Strings in the arguments are still in `\xNN` form. */
export interface StraceCall {
  name: string;
  /** The text between the parentheses. */
  args: string;
  /** What follows the `=`: a number, decorations, error names. `?` when the call did not return. */
  result: string;
}

/** How a thread ended, as strace saw it. */
export interface StraceEnd {
  code: number;
  signal: string | null;
}

export interface StraceLog {
  calls: Map<number, StraceCall[]>;
  ends: Map<number, StraceEnd>;
}

const WHOLE = /^(\w+)\((.*)\)\s+= (.*)$/;
const UNFINISHED = /^(\w+)\((.*?)\s*<unfinished \.\.\.>(?:\)\s+= (.*))?$/;
const RESUMED = /^<\.\.\. (\w+) resumed>(.*)\)\s+= (.*)$/;
const EXITED = /^\+\+\+ exited with (\d+) \+\+\+$/;
const KILLED = /^\+\+\+ killed by (\w+)(?: \(core dumped\))? \+\+\+$/;

/** Takes a log of `strace -f -o` line by line. */
export class StraceParser {
  readonly log: StraceLog = { calls: new Map(), ends: new Map() };
  readonly #pending = new Map<number, { name: string; args: string }>();
  #line = 0;

  push(text: string): void {
    this.#line++;
    if (text === '') return;
    const head = /^(\d+)\s+(.*)$/.exec(text);
    if (!head) throw this.#error('a line that begins with a process id', text);
    this.#body(Number(head[1]), head[2]);
  }

  /** Calls that never returned (their thread was killed) are given as such. */
  finish(): StraceLog {
    for (const [tid, { name, args }] of this.#pending) this.#add(tid, { name, args, result: '?' });
    this.#pending.clear();
    return this.log;
  }

  #body(tid: number, body: string): void {
    if (body.startsWith('---') || body.startsWith('strace:')) return;
    if (body.startsWith('+++')) return this.#end(tid, body);
    const resumed = RESUMED.exec(body);
    if (resumed) return this.#resume(tid, resumed[1], resumed[2], resumed[3]);
    const unfinished = UNFINISHED.exec(body);
    // `<unfinished ...>) = ?` is how a call ends that its thread did not survive.
    if (unfinished?.[3] !== undefined) return this.#add(tid, { name: unfinished[1], args: unfinished[2], result: '?' });
    if (unfinished) {
      this.#pending.set(tid, { name: unfinished[1], args: unfinished[2] });
      return;
    }
    const whole = WHOLE.exec(body);
    if (!whole) throw this.#error('a system call, its resumption, a signal or an exit', body);
    this.#add(tid, { name: whole[1], args: whole[2], result: whole[3] });
  }

  #resume(tid: number, name: string, rest: string, result: string): void {
    const begun = this.#pending.get(tid);
    if (begun?.name !== name) throw this.#error(`the resumption of ${begun?.name ?? 'nothing'}`, name);
    this.#pending.delete(tid);
    this.#add(tid, { name, args: begun.args + rest, result });
  }

  #end(tid: number, body: string): void {
    const exited = EXITED.exec(body);
    const killed = KILLED.exec(body);
    if (exited) this.log.ends.set(tid, { code: Number(exited[1]), signal: null });
    else if (killed) this.log.ends.set(tid, { code: 0, signal: killed[1] });
    // `+++ superseded by execve in pid N +++`: the tid goes on as another one.
    else if (!body.startsWith('+++ superseded')) throw this.#error('how a thread ended', body);
  }

  #add(tid: number, call: StraceCall): void {
    const calls = this.log.calls.get(tid);
    if (calls) calls.push(call);
    else this.log.calls.set(tid, [call]);
  }

  #error(expected: string, got: string): RecorderError {
    return new RecorderError(
      'trace-mismatch',
      `strace log:${this.#line}: expected ${expected}, got ${JSON.stringify(got.slice(0, 120))}`,
    );
  }
}

function unhex(text: string): string {
  const bytes = text.match(/\\x[0-9a-f]{2}/g) ?? [];
  return Buffer.from(bytes.map((byte) => Number.parseInt(byte.slice(2), 16))).toString('utf8');
}

/** The quoted strings of a call's arguments, in order, decoded. */
export function stringsOf(call: StraceCall): string[] {
  return (call.args.match(/"(?:\\x[0-9a-f]{2})*"/g) ?? []).map(unhex);
}

/** The `<...>` decorations of descriptors and directories in a text, in order, decoded. */
export function decorationsOf(text: string): string[] {
  return (text.match(/<(?:\\x[0-9a-f]{2})*>/g) ?? []).map(unhex);
}

/** The descriptor numbers of an array such as pipe2's, in order. */
export function descriptorsOf(call: StraceCall): number[] {
  const array = /\[([^\]]*)\]/.exec(call.args)?.[1] ?? '';
  return (array.match(/\d+(?=<)/g) ?? []).map(Number);
}

/** The arguments of a call split at its top-level commas. */
export function splitArgs(call: StraceCall): string[] {
  return call.args.split(/, (?![^[{]*[\]}])/);
}
