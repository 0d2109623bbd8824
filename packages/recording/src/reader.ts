// SPDX-License-Identifier: MIT
import { createReadStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createGunzip, gunzipSync } from 'node:zlib';
import { RecordingError } from './error.js';
import type { Recording } from './format.js';
import { RecordingParser } from './parser.js';

/** No recording expands beyond this; a file that does is not one. */
const LARGEST = 1 << 30;

/**
 * Reads and checks a recording, compressed or not.
 *
 * @param source the path of a file, or its contents
 * @param name what errors call it; the path by default
 * @throws RecordingError for whatever is wrong with it, with the line, what was expected and what was there
 */
export function readRecording(source: string | Uint8Array, name?: string): Recording {
  const file = name ?? (typeof source === 'string' ? source : 'recording');
  const lines = decode(load(source, file), file).split('\n');
  const parser = new RecordingParser(file);
  // Each line ends in a newline, so what follows the last newline is empty.
  const last = lines.pop();
  for (const line of lines) parser.push(line);
  if (last !== undefined && last !== '') parser.push(last, { cut: true });
  return parser.finish();
}

/** The lines of a recording as text, streamed: for looking at one without holding it in memory. Nothing is checked. */
export async function* recordingLines(path: string): AsyncGenerator<{ line: number; text: string }> {
  const head = createReadStream(path, { end: 1 });
  const magic: Uint8Array[] = [];
  try {
    for await (const chunk of head) magic.push(chunk as Uint8Array);
    const raw = createReadStream(path);
    const source = isGzip(Buffer.concat(magic)) ? raw.pipe(createGunzip()) : raw;
    const failed = new Promise<never>((_, reject) => {
      raw.on('error', reject);
      source.on('error', reject);
    });
    failed.catch(() => undefined);
    let line = 0;
    const lines = createInterface({ input: source, crlfDelay: Number.POSITIVE_INFINITY })[Symbol.asyncIterator]();
    for (;;) {
      const next = await Promise.race([lines.next(), failed]);
      if (next.done) break;
      line++;
      yield { line, text: next.value };
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error) throw unreadable(path, error);
    throw error;
  }
}

function isGzip(data: Uint8Array): boolean {
  return data.length >= 2 && data[0] === 0x1f && data[1] === 0x8b;
}

function load(source: string | Uint8Array, file: string): Uint8Array {
  let data: Uint8Array;
  try {
    data = typeof source === 'string' ? readFileSync(source) : source;
  } catch (error) {
    throw unreadable(file, error as Error);
  }
  if (data.length === 0) throw new RecordingError(file, 0, 'a recording', 'an empty file');
  if (!isGzip(data)) return data;
  try {
    return gunzipSync(data, { maxOutputLength: LARGEST });
  } catch (error) {
    throw unreadable(file, error as Error);
  }
}

function unreadable(file: string, error: Error & { code?: unknown }): RecordingError {
  if (error.code === 'Z_BUF_ERROR')
    return new RecordingError(file, 0, 'a complete gzip stream', 'one that is cut short');
  if (error.code === 'ERR_BUFFER_TOO_LARGE')
    return new RecordingError(file, 0, `at most ${LARGEST} bytes of text`, 'more');
  if (String(error.code).startsWith('Z_'))
    return new RecordingError(file, 0, 'a gzip stream', `a damaged one (${error.message})`);
  return new RecordingError(file, 0, 'a file that can be read', error.message);
}

function decode(data: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return throwBinary(data, file);
  }
}

/** Names the line of the first byte that is not UTF-8. */
function throwBinary(data: Uint8Array, file: string): never {
  const lines = Buffer.from(data.buffer, data.byteOffset, data.length).toString('utf8').split('\n');
  const bad = lines.findIndex((line) => line.includes('\ufffd'));
  throw new RecordingError(file, bad + 1, 'text in UTF-8', 'binary data');
}
