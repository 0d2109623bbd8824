// SPDX-License-Identifier: MIT
import { PAGE_LIMIT, PAGE_SIZE } from '../codec.js';
import type { Vma, VmaKind } from '../format.js';
import type { FileTable } from './files.js';

/** What /proc showed of a process right after its exec. */
export interface ExecImage {
  /** /proc/PID/maps. */
  maps: string;
  /** /proc/PID/exe. */
  program: string;
  /** Bytes. */
  brk: number;
}

const LINE = /^([0-9a-f]+)-([0-9a-f]+) ([r-][w-][x-])([ps]) ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) (\d+)\s*(.*)$/;

const KINDS: Readonly<Record<string, VmaKind>> = {
  '[heap]': 'heap',
  '[stack]': 'stack',
  '[vdso]': 'vdso',
  '[vvar]': 'vvar',
  '[vvar_vclock]': 'vvar',
};

/** /proc writes a newline in a path as \012. */
function plainPath(path: string): string {
  return path.replace(/\\012/g, '\n').replace(/ \(deleted\)$/, '');
}

/** The map as vmas, and the program's file id. */
export function imageMaps(image: ExecImage, files: FileTable): { file: number; maps: Vma[] } {
  const maps: Vma[] = [];
  let program: number | null = null;
  for (const line of image.maps.split('\n')) {
    const match = LINE.exec(line);
    if (!match) continue;
    const [from, to] = [match[1], match[2]].map((hex) => Number.parseInt(hex, 16) / PAGE_SIZE);
    // The vsyscall page lies outside what a process can map.
    if (to > PAGE_LIMIT) continue;
    const [inode, name] = [Number(match[8]), plainPath(match[9])];
    const device = `${Number.parseInt(match[6], 16)}:${Number.parseInt(match[7], 16)}`;
    const file = inode === 0 ? null : files.mapped(name, device, inode).id;
    if (file !== null && name === image.program) program = file;
    const kind = file === null ? (KINDS[name] ?? 'anon') : 'file';
    const index = file === null ? 0 : Number.parseInt(match[5], 16) / PAGE_SIZE;
    maps.push({ from, to, prot: match[3], shared: match[4] === 's', kind, file, index });
  }
  return { file: program ?? maps.find((vma) => vma.file !== null)?.file ?? 0, maps };
}
