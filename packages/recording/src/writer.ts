// SPDX-License-Identifier: MIT
import { randomBytes } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { crc32, gzipSync } from 'node:zlib';
import type { FileInfo, Rec, Recording } from './format.js';
import type { Field } from './layout.js';
import { FILE_LAYOUT, LAYOUT, SPANNING, VMA_LAYOUT } from './layout.js';

function formatFields<R>(layout: readonly Field<R>[], value: R): string {
  return layout.map(([name, codec]) => codec.write(value[name])).join(' ');
}

function formatFile(file: FileInfo): string {
  const cached = file.cached.map(([first, last]) => `cached ${first} ${last}\n`).join('');
  return `file ${formatFields(FILE_LAYOUT, file)}\n${cached}`;
}

function formatRecord(record: Rec): string {
  const duration = SPANNING.has(record.kind) ? ` ${(record as Rec & { end: number }).end - record.start}` : '';
  const fields = formatFields(LAYOUT[record.kind] as readonly Field<Rec>[], record);
  const line = `${record.kind} ${record.tid} ${record.start}${duration} ${fields}\n`;
  if (record.kind !== 'exec') return line;
  return line + record.maps.map((vma) => `vma ${formatFields(VMA_LAYOUT, vma)}\n`).join('');
}

/** The recording as text: header, files, records, and the `end` line with the number of lines and their CRC-32. */
export function formatRecording(recording: Recording): string {
  const parts = [`${JSON.stringify(recording.header)}\n`, ...recording.files.map(formatFile)];
  for (const record of recording.records) parts.push(formatRecord(record));
  const body = parts.join('');
  return `${body}${endLine(body)}\n`;
}

/** The line that closes a recording whose other lines are `body`. */
export function endLine(body: string): string {
  const lines = body.split('\n').length - 1;
  return `end ${lines} ${crc32(body).toString(16).padStart(8, '0')}`;
}

/** Writes a recording, compressed. The file appears complete or not at all. */
export function writeRecording(path: string, recording: Recording): void {
  const data = gzipSync(formatRecording(recording), { level: 9 });
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    writeFileSync(temporary, data, { flag: 'wx' });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
