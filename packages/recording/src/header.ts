// SPDX-License-Identifier: MIT
import type { Header } from './format.js';
import { FORMAT_NAME, FORMAT_VERSION } from './format.js';

type Check = (value: unknown) => string | null;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const countField: Check = (value) => (isCount(value) ? null : 'a whole number');
const textField: Check = (value) => (typeof value === 'string' ? null : 'a string');
const booleanField: Check = (value) => (typeof value === 'boolean' ? null : 'true or false');

/** What is wrong with an object, as `[expected, path]`, or null. */
type Fault = [expected: string, at: string] | null;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkObject(value: unknown, at: string, fields: Record<string, (value: unknown, at: string) => Fault>): Fault {
  if (!isObject(value)) return ['an object', at];
  for (const [name, check] of Object.entries(fields)) {
    const fault = check(value[name], `${at}.${name}`);
    if (fault) return fault;
  }
  const extra = Object.keys(value).find((name) => !Object.hasOwn(fields, name));
  return extra === undefined ? null : ['no such field', `${at}.${extra}`];
}

const plain =
  (check: Check) =>
  (value: unknown, at: string): Fault => {
    const expected = check(value);
    return expected === null ? null : [expected, at];
  };
const arrayOf =
  (check: (value: unknown, at: string) => Fault) =>
  (value: unknown, at: string): Fault => {
    if (!Array.isArray(value)) return ['an array', at];
    for (let i = 0; i < value.length; i++) {
      const fault = check(value[i], `${at}[${i}]`);
      if (fault) return fault;
    }
    return null;
  };

const number = plain(countField);
const string = plain(textField);
const is = (expected: unknown) => plain((value) => (value === expected ? null : JSON.stringify(expected)));

function numbersByName(value: unknown, at: string): Fault {
  if (!isObject(value)) return ['an object', at];
  const bad = Object.keys(value).find((name) => !isCount(value[name]));
  return bad === undefined ? null : ['a whole number', `${at}.${bad}`];
}

const rssAtEnd = (value: unknown, at: string): Fault =>
  value === null ? null : checkObject(value, at, { file: number, anon: number, swap: number, shmem: number });

const machine = {
  kernel: string,
  arch: string,
  pageSize: is(4096),
  cpus: number,
  memory: number,
  swap: number,
  readAheadKb: numbersByName,
  faultAroundBytes: number,
  transparentHugepage: string,
  transparentHugepageShmem: string,
  overcommit: number,
};
const thread = { tid: number, pid: number, comm: string, start: number, end: number };
const spaceInfo = {
  id: number,
  pid: number,
  born: plain((value) => (value === 'exec' || value === 'fork' ? null : '"exec" or "fork"')),
  start: number,
  end: number,
  rssAtEnd,
};

/** Checks a parsed header line. Returns the header, or what is wrong and where. */
export function checkHeader(value: unknown): { header: Header } | { expected: string; got: string } {
  const fault = checkObject(value, 'header', {
    format: is(FORMAT_NAME),
    version: is(FORMAT_VERSION),
    command: arrayOf(string),
    machine: (inner, at) => checkObject(inner, at, machine),
    droppedCaches: plain(booleanField),
    duration: number,
    threads: arrayOf((inner, at) => checkObject(inner, at, thread)),
    spaces: arrayOf((inner, at) => checkObject(inner, at, spaceInfo)),
    warnings: arrayOf(string),
  });
  if (fault === null) return { header: value as Header };
  const [expected, at] = fault;
  return { expected: `${expected} at ${at}`, got: describe(value, at) };
}

function describe(value: unknown, at: string): string {
  let inner: unknown = value;
  for (const step of at
    .split(/[.[\]]+/)
    .filter(Boolean)
    .slice(1)) {
    inner = isObject(inner) || Array.isArray(inner) ? (inner as Record<string, unknown>)[step] : undefined;
  }
  const text = JSON.stringify(inner) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
