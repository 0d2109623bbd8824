// SPDX-License-Identifier: GPL-2.0-only
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OracleError } from './machine.js';

const SOURCES = fileURLToPath(new URL('../c', import.meta.url));
const FLAGS = ['-std=gnu11', '-O1', '-Wall', '-Wextra'];

/** Builds the program that performs scripts on the kernel, unless it is there already: its name tells the sources it is made of. */
export function buildPerformer(): string {
  const names = readdirSync(SOURCES).sort();
  const hash = createHash('sha256').update(FLAGS.join(' '));
  for (const name of names) hash.update(readFileSync(join(SOURCES, name)));
  const folder = privateFolder();
  const program = join(folder, `performer-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(program)) return program;
  // Under a name of its own until it is complete: others may be building it too.
  const unfinished = `${program}.${process.pid}`;
  const sources = names.filter((name) => name.endsWith('.c')).map((name) => join(SOURCES, name));
  const { status, stderr, error } = spawnSync('gcc', [...FLAGS, '-o', unfinished, ...sources], { encoding: 'utf8' });
  if (status !== 0) {
    rmSync(unfinished, { force: true });
    throw new OracleError('build-failed', `gcc cannot build ${SOURCES}: ${error?.message ?? stderr.trim()}`);
  }
  renameSync(unfinished, program);
  return program;
}

/** What runs as root comes from a folder that nobody else can write to. */
function privateFolder(): string {
  const uid = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `lockless-oracle-${uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o022) !== 0) {
    throw new OracleError('build-failed', `${folder} is not a folder of your own; remove it, or choose another TMPDIR`);
  }
  return folder;
}
