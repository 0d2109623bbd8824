// SPDX-License-Identifier: GPL-2.0-only
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** Why this machine's kernel cannot be compared with. */
export type OracleFailure =
  | 'not-root'
  | 'unsupported-machine'
  | 'no-gcc'
  | 'no-interfaces'
  | 'no-disk'
  | 'no-huge-pages'
  | 'build-failed';

/** This machine's kernel cannot be compared with. The message says what is missing; `failure` is for programs. */
export class OracleError extends Error {
  override readonly name = 'OracleError';
  readonly code = 'ERR_ORACLE';
  readonly failure: OracleFailure;

  constructor(failure: OracleFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }
}

/** The files in /proc that the comparison is made of. */
const INTERFACES = ['/proc/kpagecount', '/proc/kpageflags', '/proc/self/pagemap', '/proc/self/smaps'];

/** Throws an OracleError that says what is missing. */
export function checkKernel(): void {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new OracleError(
      'unsupported-machine',
      `the oracle needs Linux on x86-64; this is ${process.platform} on ${process.arch}`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new OracleError('not-root', 'the oracle needs root: only root may read which frame a page has');
  }
  const missing = INTERFACES.find((path) => !existsSync(path));
  if (missing !== undefined) {
    throw new OracleError(
      'no-interfaces',
      `the oracle needs ${missing}: a kernel with CONFIG_PROC_PAGE_MONITOR, and /proc mounted`,
    );
  }
  if (spawnSync('gcc', ['--version']).status !== 0) {
    throw new OracleError('no-gcc', 'the oracle needs gcc, which builds the program that performs the steps');
  }
}

const HUGE_PAGES = '/sys/kernel/mm/transparent_hugepage/enabled';

/** Whether areas that ask for huge pages get them. */
export const kernelHasHugePages = (): boolean =>
  existsSync(HUGE_PAGES) && !readFileSync(HUGE_PAGES, 'utf8').includes('[never]');

/** How many khugepaged has made of single pages. */
export function collapsedHugePages(): number {
  const path = '/sys/kernel/mm/transparent_hugepage/khugepaged/pages_collapsed';
  return existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0;
}

/** Throws an OracleError when there are none. */
export function checkHugePages(): void {
  if (kernelHasHugePages()) return;
  throw new OracleError('no-huge-pages', `a script with huge pages needs "madvise" in ${HUGE_PAGES}`);
}

/** Why this machine's kernel cannot be compared with, or null. */
export function reasonAgainstKernel(): string | null {
  try {
    checkKernel();
    diskFolder();
    return null;
  } catch (error) {
    if (error instanceof OracleError) return error.message;
    throw error;
  }
}

/** File systems that keep files in the page cache and write them to a disk. */
const ON_DISK: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
]);

/** A folder on a disk, for the files of scripts. */
export function diskFolder(): string {
  const folders = [tmpdir(), '/var/tmp', process.cwd()];
  const found = folders.find((folder) => writable(folder) && ON_DISK.has(statfsSync(folder).type));
  if (found !== undefined) return found;
  throw new OracleError(
    'no-disk',
    `none of ${folders.join(', ')} is a folder on ${[...ON_DISK.values()].join(', ')} that can be written to; TMPDIR chooses another`,
  );
}

function writable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
