// SPDX-License-Identifier: MIT
// Makes the recordings of this folder again, in /tmp/demo: `node recordings/make.mjs [NAME...]`, as root, after a build.
// Prints the rows of README.md's table.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { record, recordingTotals } from '../packages/recording/dist/index.js';

const cwd = '/tmp/demo';
const here = fileURLToPath(new URL('.', import.meta.url));
const date = '2026-01-01T00:00:00Z';
const env = { PATH: '/usr/bin:/bin', HOME: cwd, LANG: 'C', GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date };

const HELLO = '#include <stdio.h>\n\nint main(void)\n{\n\tprintf("hello, world\\n");\n\treturn 0;\n}\n';
const SQL = `
PRAGMA journal_mode = TRUNCATE;
PRAGMA mmap_size = 1048576;
CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) INSERT INTO t SELECT i, 'name number ' || i FROM n;
UPDATE t SET name = upper(name) WHERE id % 50 = 0;
DELETE FROM t WHERE id > 700;
VACUUM;
SELECT count(*), max(name) FROM t;
`;
const REPOSITORY = `rm -rf repo && git init -q repo && cd repo && mkdir src doc &&
git config user.name demo && git config user.email demo@example.com &&
for i in $(seq 1 40); do seq $i $((i * 30)) > src/file$i.txt; done && seq 1 20000 > doc/numbers.txt &&
git add -A && git commit -qm one && seq 1 300 > src/file3.txt && git commit -qam two && git gc -q &&
echo change > src/file5.txt && echo new > untracked.txt`;

/** Each: what makes its files, what is run before each run, and the command. */
const recordings = {
  'git-status': { setup: REPOSITORY, command: ['sh', '-c', 'git -C repo status --short && git -C repo log --stat'] },
  'gcc-hello': { prepare: 'rm -f hello', command: ['gcc', '-O1', 'hello.c', '-o', 'hello'] },
  'python-start': { command: ['python3', '-S', '-c', 'pass'] },
  'sqlite-threads': {
    setup: 'gcc -O1 -pthread threads.c -o threads',
    prepare: 'rm -f log table tmp* demo.db*',
    command: ['sh', '-c', './threads && (echo ".bail on"; cat work.sql) | sqlite3 demo.db'],
  },
};

mkdirSync(cwd, { recursive: true });
writeFileSync(`${cwd}/hello.c`, HELLO);
writeFileSync(`${cwd}/work.sql`, SQL);
copyFileSync(`${here}threads.c`, `${cwd}/threads.c`);
const wanted = process.argv.slice(2);
for (const [name, { setup, prepare, command }] of Object.entries(recordings)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  if (setup) execFileSync('sh', ['-c', setup], { cwd, env });
  const output = `${here}${name}.lkr.gz`;
  const options = { command, output, cwd, env, stdio: 'ignore' };
  const { code, recording } = await record(prepare ? { ...options, prepare: ['sh', '-c', prepare] } : options);
  if (code !== 0) throw new Error(`${name}: the command failed with ${code}`);
  const { records, calls, userFaults, kernelFaults, pagesAdded, processes, threads } = recordingTotals(recording);
  const figures = [processes, threads, records, calls, userFaults + kernelFaults, pagesAdded];
  process.stdout.write(`| \`${name}.lkr.gz\` | ${figures.join(' | ')} |\n`);
}
