// SPDX-License-Identifier: MIT
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

/** What was built: the tests that need a process of their own run it. */
export const CLI: string = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

/** Whether a program is there. */
export const works = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0;

/** Runs a command on a terminal of its own; presses Ctrl-C so many times when `until` shows. */
export function onTerminal(
  command: string,
  until: RegExp,
  presses: number,
): Promise<{ screen: string; status: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn('script', ['-qefc', `stty cols 120 rows 40; exec ${command}`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let screen = '';
    let pressed = false;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      screen += text;
      if (pressed || !until.test(screen)) return;
      pressed = true;
      child.stdin.write('\x03'.repeat(presses));
    });
    onTestFinished(() => void child.kill());
    child.on('error', reject);
    child.on('close', (code) => resolve({ screen, status: code ?? -1 }));
  });
}
