// SPDX-License-Identifier: MIT
import type { UserBuffer } from './format.js';

/** One field of a line: how its value is spelled, and what to tell someone whose file spells it otherwise. */
export interface Codec<T> {
  /** For the format's documentation and for errors: `expected <what>`. */
  readonly what: string;
  write(value: T): string;
  /** undefined: this is no such value. Only the spelling that `write` gives is accepted. */
  read(token: string): T | undefined;
}

export const PAGE_SIZE = 4096;
/** User addresses end at 2^47 bytes, which is 2^35 pages. */
export const PAGE_LIMIT: number = 2 ** 35;
const BYTE_LIMIT = PAGE_LIMIT * PAGE_SIZE;

const DECIMAL = /^(?:0|[1-9][0-9]{0,15})$/;
const SIGNED = /^(?:0|-?[1-9][0-9]{0,15})$/;
const HEX = /^(?:0|[1-9a-f][0-9a-f]{0,15})$/;

function decimal(token: string, pattern: RegExp): number | undefined {
  if (!pattern.test(token)) return undefined;
  const value = Number(token);
  return Number.isSafeInteger(value) ? value : undefined;
}

function hexBelow(token: string, limit: number): number | undefined {
  if (!HEX.test(token)) return undefined;
  const value = Number.parseInt(token, 16);
  return value < limit ? value : undefined;
}

export const count: Codec<number> = {
  what: 'a whole number',
  write: (value) => String(value),
  read: (token) => decimal(token, DECIMAL),
};

export const signed: Codec<number> = {
  what: 'an integer',
  write: (value) => String(value),
  read: (token) => decimal(token, SIGNED),
};

export const page: Codec<number> = {
  what: 'a page number in hexadecimal, below 800000000',
  write: (value) => value.toString(16),
  read: (token) => hexBelow(token, PAGE_LIMIT),
};

/** One past the last page may be the limit itself. */
export const pageEnd: Codec<number> = {
  what: 'a page number in hexadecimal, at most 800000000',
  write: (value) => value.toString(16),
  read: (token) => hexBelow(token, PAGE_LIMIT + 1),
};

/** What mmap and mremap return. */
export const pageOrErrno: Codec<number> = {
  what: 'a page number in hexadecimal or a negative errno',
  write: (value) => (value < 0 ? String(value) : value.toString(16)),
  read: (token) => (token.startsWith('-') ? decimal(token, SIGNED) : hexBelow(token, PAGE_LIMIT)),
};

export const byteAddress: Codec<number> = {
  what: 'a byte address in hexadecimal, below 800000000000',
  write: (value) => value.toString(16),
  read: (token) => hexBelow(token, BYTE_LIMIT),
};

export function nullable<T>(codec: Codec<T>): Codec<T | null> {
  return {
    what: `${codec.what}, or -`,
    write: (value) => (value === null ? '-' : codec.write(value)),
    read: (token) => (token === '-' ? null : codec.read(token)),
  };
}

export function oneOf<const T extends string>(...words: readonly T[]): Codec<T> {
  return {
    what: words.join(' | '),
    write: (value) => value,
    read: (token) => words.find((word) => word === token),
  };
}

export function either(yes: string, no: string): Codec<boolean> {
  return {
    what: `${yes} | ${no}`,
    write: (value) => (value ? yes : no),
    read: (token) => (token === yes ? true : token === no ? false : undefined),
  };
}

const WORD = /^[A-Za-z0-9_:.-]{1,80}$/;
export const word: Codec<string> = {
  what: 'a word of letters, digits and _ : . -',
  write: (value) => value,
  read: (token) => (WORD.test(token) ? token : undefined),
};

export const prot: Codec<string> = {
  what: 'a protection like rw- or r-x',
  write: (value) => value,
  read: (token) => (/^[r-][w-][x-]$/.test(token) ? token : undefined),
};

function list<T>(item: Codec<T>, what: string): Codec<T[]> {
  return {
    what,
    write: (values) => (values.length === 0 ? '-' : values.map((value) => item.write(value)).join(',')),
    read: (token) => {
      if (token === '-') return [];
      const values: T[] = [];
      for (const part of token.split(',')) {
        const value = item.read(part);
        if (value === undefined) return undefined;
        values.push(value);
      }
      return values;
    },
  };
}

const flagWord: Codec<string> = { ...word, read: (token) => (/^[a-z0-9_]{1,40}$/.test(token) ? token : undefined) };
export const flagList: Codec<string[]> = list(flagWord, 'lower-case words separated by commas, or -');

export function listOf<const T extends string>(...words: readonly T[]): Codec<T[]> {
  return list(oneOf(...words), `some of ${words.join(', ')} separated by commas, or -`);
}

const buffer: Codec<UserBuffer> = {
  what: 'ADDRESS+LENGTH',
  write: (value) => `${(value.page * PAGE_SIZE + value.offset).toString(16)}+${value.length}`,
  read: (token) => {
    const plus = token.indexOf('+');
    if (plus < 0) return undefined;
    const address = hexBelow(token.slice(0, plus), BYTE_LIMIT);
    const length = decimal(token.slice(plus + 1), DECIMAL);
    if (address === undefined || length === undefined) return undefined;
    const offset = address % PAGE_SIZE;
    return { page: (address - offset) / PAGE_SIZE, offset, length };
  },
};
export const buffers: Codec<UserBuffer[]> = list(
  buffer,
  'user buffers ADDRESS+LENGTH (hexadecimal bytes + decimal) separated by commas, or -',
);

/** A string that may hold anything; it is always the last field of its line. */
export const text: Codec<string> = {
  what: 'a JSON string',
  write: (value) => JSON.stringify(value),
  read: (token) => {
    try {
      const value: unknown = JSON.parse(token);
      return typeof value === 'string' && JSON.stringify(value) === token ? value : undefined;
    } catch {
      return undefined;
    }
  },
};
