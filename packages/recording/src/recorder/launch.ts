// SPDX-License-Identifier: MIT
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { RecorderError } from '../error.js';
import { STRACED } from './syscalls.js';

/** Says its process id, waits for a line, and becomes the program: so that tracing begins before the program does. */
const LAUNCHER = 'echo $$ >&3; read -r go <&4; exec "$@" 3>&- 4<&-';

export interface LaunchOptions {
  /** The program with an absolute path, and its arguments. */
  command: string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  stdio: 'inherit' | 'ignore' | 'stderr';
  /** Where strace writes. */
  log: string;
  /** Milliseconds that strace holds each process after exec, for its memory map to be read. */
  execDelay: number;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

function straceArguments({ command, log, execDelay }: LaunchOptions): string[] {
  const calls = [...STRACED].join(',');
  return [
    ...['-f', '-q', '-a1', '-xx', '-yy', '-s', '4', '--seccomp-bpf', '-e', `trace=${calls}`],
    // Raw: neither arguments nor environment strings of an exec are read.
    ...['-e', 'raw=execve,execveat', '-e', `inject=execve,execveat:delay_exit=${execDelay * 1000}`],
    ...['-o', log, '--', '/bin/sh', '-c', LAUNCHER, 'sh', ...command],
  ];
}

/** The program under strace, without address randomisation, stopped before its exec until `go`. */
export class Launched {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;

  constructor(options: LaunchOptions) {
    const { cwd, env, stdio } = options;
    const [stdin, stdout] = stdio === 'inherit' ? (['inherit', 'inherit'] as const) : (['ignore', 'ignore'] as const);
    const stderr = stdio === 'ignore' ? 'ignore' : 'inherit';
    this.#child = spawn('setarch', ['-R', 'strace', ...straceArguments(options)], {
      cwd,
      env,
      stdio: [stdin, stdio === 'stderr' ? 2 : stdout, stderr, 'pipe', 'pipe'],
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('exit', (code, signal) => resolve({ code, signal }));
    });
    this.ended.catch(() => undefined);
    // A launcher that was killed cannot be told to go; how it ended is what counts.
    this.#child.stdio[4]?.on('error', () => undefined);
  }

  /** The program's process id to be. */
  async pid(): Promise<number> {
    const lines = this.#child.stdio[3] as Readable;
    let text = '';
    lines.setEncoding('utf8');
    lines.on('data', (chunk: string) => {
      text += chunk;
    });
    const closed = new Promise<void>((resolve) => {
      const check = (): void => {
        if (text.includes('\n')) resolve();
      };
      lines.on('data', check);
      lines.on('close', () => resolve());
    });
    await Promise.race([closed, this.ended]);
    const pid = Number.parseInt(text, 10);
    if (Number.isNaN(pid))
      throw new RecorderError('failed', 'strace did not start the program (is ptrace allowed here?)');
    return pid;
  }

  go(): void {
    (this.#child.stdio[4] as Writable).end('go\n');
  }

  /** Kills those of the processes that strace still traces, and with them gone strace ends too. */
  kill(pids: Iterable<number>): void {
    for (const pid of pids) {
      try {
        const tracer = /^TracerPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
        if (Number(tracer) === this.#child.pid) process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself meanwhile.
      }
    }
  }
}

/** A file that the program starts with as standard input, output or error. */
export interface Inherited {
  fd: number;
  path: string;
  offset: number;
  /** open's flags. */
  flags: number;
}

export function inheritedFiles(pid: number): Inherited[] {
  const files: Inherited[] = [];
  for (const fd of [0, 1, 2]) {
    try {
      const path = readlinkSync(`/proc/${pid}/fd/${fd}`);
      const info = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8');
      const offset = Number(/^pos:\s+(\d+)$/m.exec(info)?.[1] ?? 0);
      const flags = Number.parseInt(/^flags:\s+(\d+)$/m.exec(info)?.[1] ?? '0', 8);
      if (path.startsWith('/') && !path.startsWith('/dev/')) files.push({ fd, path, offset, flags });
    } catch {
      // A closed descriptor.
    }
  }
  return files;
}
