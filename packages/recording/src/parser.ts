// SPDX-License-Identifier: MIT
import { crc32 } from 'node:zlib';
import type { Codec } from './codec.js';
import { count } from './codec.js';
import { quote, RecordingError } from './error.js';
import type { FileInfo, Header, Rec, RecKind, Recording, Vma } from './format.js';
import { FORMAT_NAME } from './format.js';
import { checkHeader } from './header.js';
import type { Field } from './layout.js';
import { FILE_LAYOUT, LAYOUT, SPANNING, VMA_LAYOUT } from './layout.js';
import { Consistency } from './validate.js';

/** Takes a recording line by line and gives the checked whole. Each `push` throws a RecordingError at the first fault. */
export class RecordingParser {
  readonly #file: string;
  readonly #files: FileInfo[] = [];
  readonly #records: Rec[] = [];
  #line = 0;
  #crc = 0;
  #header: Header | null = null;
  #consistency: Consistency | null = null;
  #ended = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** @param text one line without its newline; `cut`: the file ended before the newline. */
  push(text: string, { cut = false }: { cut?: boolean } = {}): void {
    this.#line++;
    if (this.#ended) this.#fail('nothing after the end line', quote(text));
    if (cut) this.#fail('a newline at the end of the line', 'the end of the file');
    if (this.#header === null) this.#pushHeader(text);
    else this.#pushLine(this.#header, text);
    this.#crc = crc32(`${text}\n`, this.#crc);
  }

  /** Call after the last line. */
  finish(): Recording {
    this.#line++;
    if (this.#header === null || !this.#ended)
      this.#fail('an end line (the recording is cut short)', 'the end of the file');
    return { header: this.#header, files: this.#files, records: this.#records };
  }

  #fail(expected: string, got: string): never {
    throw new RecordingError(this.#file, this.#line, expected, got);
  }

  #pushHeader(text: string): void {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      this.#fail(`a JSON header with format "${FORMAT_NAME}"`, quote(text));
    }
    const checked = checkHeader(value);
    if ('expected' in checked) this.#fail(checked.expected, checked.got);
    // The order of the keys and the spelling of the numbers are fixed too, so that equal recordings are equal files.
    if (JSON.stringify(value) !== text) this.#fail('the header as compact JSON', 'another spelling of it');
    this.#header = checked.header;
  }

  #pushLine(header: Header, text: string): void {
    const space = text.indexOf(' ');
    const kind = space < 0 ? text : text.slice(0, space);
    if (kind === 'end') this.#pushEnd(text);
    else if (kind === 'file' && this.#consistency === null) this.#pushFile(text);
    else if (kind === 'cached' && this.#consistency === null) this.#pushCached(text);
    else if (kind === 'vma') this.#pushVma(text);
    else if (Object.hasOwn(LAYOUT, kind)) this.#pushRecord(header, kind as RecKind, text);
    else this.#fail(this.#consistency ? 'a record' : 'a file, cached or record line', quote(text));
  }

  #pushFile(text: string): void {
    const file = this.#fields<Omit<FileInfo, 'cached'>>(FILE_LAYOUT, text.split(' '), 1, {}) as FileInfo;
    file.cached = [];
    if (file.id !== this.#files.length) this.#fail(`file id ${this.#files.length}`, String(file.id));
    this.#files.push(file);
  }

  #pushCached(text: string): void {
    const file = this.#files.at(-1);
    if (!file) this.#fail('a file line before the first cached line', quote(text));
    const tokens = text.split(' ');
    this.#arity(tokens, ['cached', 'FIRST', 'LAST']);
    const first = this.#read(count, tokens[1], 'first');
    const last = this.#read(count, tokens[2], 'last');
    const before = file.cached.at(-1)?.[1] ?? -2;
    if (first <= before + 1) this.#fail(`a first page above ${before + 1}`, String(first));
    if (last < first) this.#fail(`a last page of at least ${first}`, String(last));
    file.cached.push([first, last]);
  }

  #pushRecord(header: Header, kind: RecKind, text: string): void {
    this.#completeExec();
    this.#consistency ??= new Consistency(header, this.#files);
    const tokens = text.split(' ');
    const spanning = SPANNING.has(kind);
    const base: Record<string, unknown> = { kind };
    base.tid = this.#read(count, tokens[1], 'tid');
    base.start = this.#read(count, tokens[2], 'start');
    if (spanning) base.end = (base.start as number) + this.#read(count, tokens[3], 'duration');
    const layout = LAYOUT[kind] as readonly Field<Rec>[];
    const record = this.#fields<Rec>(layout, tokens, spanning ? 4 : 3, base) as Rec;
    if (record.kind === 'exec') record.maps = [];
    const fault = this.#consistency.next(record);
    if (fault) this.#fail(fault.expected, fault.got);
    this.#records.push(record);
  }

  #pushVma(text: string): void {
    const exec = this.#records.at(-1);
    if (exec?.kind !== 'exec') this.#fail('vma lines only after an exec', quote(text));
    const vma = this.#fields<Vma>(VMA_LAYOUT, text.split(' '), 1, {}) as Vma;
    const before = exec.maps.at(-1)?.to ?? 0;
    if (vma.from < before) this.#fail(`a vma that starts at ${before.toString(16)} or above`, vma.from.toString(16));
    if (vma.to <= vma.from) this.#fail(`a vma that ends above ${vma.from.toString(16)}`, vma.to.toString(16));
    if ((vma.kind === 'file') !== (vma.file !== null)) this.#fail('a file exactly for vmas of kind file', quote(text));
    if (vma.file !== null && vma.file >= this.#files.length)
      this.#fail(`a file id below ${this.#files.length}`, String(vma.file));
    exec.maps.push(vma);
  }

  #completeExec(): void {
    const exec = this.#records.at(-1);
    if (exec?.kind === 'exec' && exec.maps.length === 0) this.#fail('the vma lines of the exec', 'another record');
  }

  #pushEnd(text: string): void {
    this.#completeExec();
    const tokens = text.split(' ');
    this.#arity(tokens, ['end', 'LINES', 'CRC']);
    const lines = this.#read(count, tokens[1], 'lines');
    if (lines !== this.#line - 1) this.#fail(`${this.#line - 1} lines before the end line`, String(lines));
    const crc = this.#crc.toString(16).padStart(8, '0');
    if (tokens[2] !== crc) this.#fail(`checksum ${crc} (the recording was altered)`, quote(tokens[2]));
    const header = this.#header as Header;
    const fault = (this.#consistency ?? new Consistency(header, this.#files)).finish();
    if (fault) this.#fail(fault.expected, fault.got);
    this.#ended = true;
  }

  #read<T>(codec: Codec<T>, token: string | undefined, name: string): T {
    const value = token === undefined ? undefined : codec.read(token);
    if (value === undefined)
      this.#fail(`${name}: ${codec.what}`, token === undefined ? 'the end of the line' : quote(token));
    return value;
  }

  #fields<R>(layout: readonly Field<R>[], tokens: string[], from: number, into: Record<string, unknown>): unknown {
    // A text field is always the last one, and may hold spaces.
    if (layout.at(-1)?.[1].what === 'a JSON string' && tokens.length > from + layout.length) {
      tokens = [...tokens.slice(0, from + layout.length - 1), tokens.slice(from + layout.length - 1).join(' ')];
    }
    for (let i = 0; i < layout.length; i++) {
      const [name, codec] = layout[i];
      into[name] = this.#read(codec as Codec<unknown>, tokens[from + i], name);
    }
    if (tokens.length > from + layout.length) this.#fail('the end of the line', quote(tokens[from + layout.length]));
    return into;
  }

  #arity(tokens: string[], names: string[]): void {
    if (tokens.length !== names.length) this.#fail(names.join(' '), quote(tokens.join(' ')));
  }
}
