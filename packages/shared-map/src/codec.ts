// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu/native';
import {
  fitsImmediate,
  immediate,
  immediateValue,
  isImmediate,
  VALUE_BYTES,
  VALUE_INTEGER,
  VALUE_STRING,
  type Value,
  valueInteger,
  valueKind,
  valueLength,
  valueRead,
  wordsFor,
} from '@lockless/value-map/native';

/** What a map holds: 32-bit integers, strings (as UTF-8, so a lone surrogate becomes U+FFFD) and bytes. */
export type SharedValue = number | string | Uint8Array;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A value on its way into a map: an entry that is the value itself, or words to be copied. One for each thread, used at once. */
class Encoded {
  /** Not 0: the value is this entry. */
  entry = 0;
  kind: number = VALUE_INTEGER;
  /** In bytes. */
  length = 0;
  words: Int32Array = new Int32Array(256);
  private bytes: Uint8Array = new Uint8Array(this.words.buffer);

  /** Throws TypeError when a map cannot hold the value. */
  set(value: SharedValue): this {
    if (typeof value === 'number') return this.setInteger(value);
    if (typeof value === 'string') return this.setString(value);
    if (value instanceof Uint8Array) return this.setBytes(value);
    throw new TypeError(`a value is a 32-bit integer, a string or a Uint8Array, not ${describe(value)}`);
  }

  private setInteger(value: number): this {
    if ((value | 0) !== value || Object.is(value, -0))
      throw new TypeError(`a number in a shared map is a 32-bit integer, not ${describe(value)}`);
    this.entry = fitsImmediate(value) ? immediate(value) : 0;
    this.kind = VALUE_INTEGER;
    this.length = 4;
    this.words[0] = value;
    return this;
  }

  private setString(value: string): this {
    this.entry = 0;
    this.kind = VALUE_STRING;
    this.room(value.length * 3);
    this.length = encoder.encodeInto(value, this.bytes).written;
    return this.padded();
  }

  private setBytes(value: Uint8Array): this {
    this.entry = 0;
    this.kind = VALUE_BYTES;
    this.room(value.length);
    this.length = value.length;
    this.bytes.set(value);
    return this.padded();
  }

  /** The bytes behind the last one are 0, so that equal values are equal word by word. */
  private padded(): this {
    this.bytes.fill(0, this.length, wordsFor(this.length) * 4);
    return this;
  }

  private room(bytes: number): void {
    if (this.bytes.length >= bytes) return;
    this.words = new Int32Array(wordsFor(bytes) + 16);
    this.bytes = new Uint8Array(this.words.buffer);
  }
}

const describe = (value: unknown): string =>
  Object.is(value, -0)
    ? '-0'
    : value === null || typeof value !== 'object'
      ? String(value)
      : `a ${value.constructor?.name ?? 'thing'}`;

const encoded = new Encoded();
const scratch = new Int32Array(256);

/** The value as a map takes it; good until the next call. */
export const encode = (value: SharedValue): Encoded => encoded.set(value);

/** The value of an entry. *Context*: the rcu_read_lock() section in which it was found. */
export function decode(entry: number): SharedValue | undefined {
  if (entry === 0) return undefined;
  if (isImmediate(entry)) return immediateValue(entry);
  const value = entry as Ptr<Value>;
  const kind = valueKind(value);
  if (kind === VALUE_INTEGER) return valueInteger(value);
  const length = valueLength(value);
  // Bytes are the caller's from here on; a string needs them for a moment only.
  const words = kind === VALUE_BYTES || length > scratch.byteLength ? new Int32Array(wordsFor(length)) : scratch;
  valueRead(value, words);
  const bytes = new Uint8Array(words.buffer, 0, length);
  return kind === VALUE_STRING ? decoder.decode(bytes) : bytes;
}

/** Whether two values are equal, bytes by their content. */
export function sameValue(a: SharedValue | undefined, b: SharedValue | undefined): boolean {
  if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array)) return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
