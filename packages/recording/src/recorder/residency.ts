// SPDX-License-Identifier: MIT
import { execFileSync } from 'node:child_process';
import type { Before } from './files.js';
import { kindAt } from './files.js';

/**
 * Asks mincore(2) which pages of files are in the page cache. Node has no mmap, so perl does it: it maps each file without
 * touching it. Prints one line per file: ranges as first-last.
 */
const MINCORE = String.raw`
  $/ = "\0";
  while (my $path = <STDIN>) {
    chomp $path;
    my ($fh, @ranges);
    my $pages = open($fh, '<', $path) ? int(((-s $fh) + 4095) / 4096) : 0;
    if ($pages > 0) {
      my $address = syscall(9, 0, $pages * 4096, 1, 1, fileno($fh), 0);
      if ($address != -1) {
        my $vector = "\0" x $pages;
        if (syscall(27, $address, $pages * 4096, $vector) == 0) {
          while ($vector =~ /[\x01\x03\x05\x07\x09\x0b\x0d\x0f]+/g) { push @ranges, $-[0] . '-' . ($+[0] - 1) }
        }
        syscall(11, $address, $pages * 4096);
      }
    }
    print join(' ', @ranges), "\n";
  }
`;

/** What is known about each path that is a file now: identity, size, and its pages in the cache. */
export function snapshotFiles(paths: Iterable<string>): Map<string, Before> {
  const found = [...new Set(paths)].flatMap((path) => {
    const file = kindAt(path);
    return file ? [{ path, file }] : [];
  });
  const input = found.map(({ path }) => `${path}\0`).join('');
  const output = execFileSync('perl', ['-e', MINCORE], { input, encoding: 'utf8', maxBuffer: 1 << 28 });
  const lines = output.split('\n');
  return new Map(
    found.map(({ path, file: { device, inode, size } }, i) => [
      path,
      { device, inode, size, cached: ranges(lines[i]) },
    ]),
  );
}

function ranges(line: string): [number, number][] {
  return line
    .split(' ')
    .filter((range) => range !== '')
    .map((range) => range.split('-').map(Number) as [number, number]);
}
