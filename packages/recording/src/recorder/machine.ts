// SPDX-License-Identifier: MIT
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { arch, cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Machine } from '../format.js';

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

/** The word in brackets of a file like `always [madvise] never`. */
function chosen(path: string): string {
  return /\[(\w+)\]/.exec(read(path) ?? '')?.[1] ?? 'never';
}

function memoryInfo(name: string): number {
  const kb = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(read('/proc/meminfo') ?? '')?.[1];
  return Number(kb ?? 0) * 1024;
}

const FAULT_AROUND_DEFAULT = 65_536;

/** Fault-around is a debugfs setting; debugfs is mounted out of the way for a moment if it is nowhere. */
function faultAroundBytes(): number {
  const here = read('/sys/kernel/debug/fault_around_bytes');
  if (here !== null) return Number(here);
  const directory = mkdtempSync(join(tmpdir(), 'lockless-debugfs-'));
  try {
    execFileSync('mount', ['-t', 'debugfs', 'nodev', directory], { stdio: 'ignore' });
    try {
      return Number(read(join(directory, 'fault_around_bytes')) ?? FAULT_AROUND_DEFAULT);
    } finally {
      execFileSync('umount', [directory], { stdio: 'ignore' });
    }
  } catch {
    return FAULT_AROUND_DEFAULT;
  } finally {
    rmdirSync(directory);
  }
}

/** The facts of this machine that a replay needs. `devices`: those that hold the recorded files. */
export function machineFacts(devices: Iterable<string>): Machine {
  const readAheadKb: Record<string, number> = {};
  for (const device of [...new Set(devices)].sort()) {
    const kb = read(`/sys/class/bdi/${device}/read_ahead_kb`);
    if (kb !== null) readAheadKb[device] = Number(kb);
  }
  return {
    kernel: release(),
    arch: arch() === 'x64' ? 'x86_64' : arch(),
    pageSize: 4096,
    cpus: cpus().length,
    memory: memoryInfo('MemTotal'),
    swap: memoryInfo('SwapTotal'),
    readAheadKb,
    faultAroundBytes: faultAroundBytes(),
    transparentHugepage: chosen('/sys/kernel/mm/transparent_hugepage/enabled'),
    transparentHugepageShmem: chosen('/sys/kernel/mm/transparent_hugepage/shmem_enabled'),
    overcommit: Number(read('/proc/sys/vm/overcommit_memory') ?? 0),
  };
}
