// SPDX-License-Identifier: MIT
// @ts-check
/** @import { Results } from '@lockless/experiments' */
import {
  PUBLISHED_FAULTS,
  PUBLISHED_FAULTS_SYSTEM,
  PUBLISHED_GANG,
  PUBLISHED_PINS,
  PUBLISHED_WRITERS,
} from '@lockless/experiments';
import { Measured } from './results-charts.mjs';
import { claims, digits, percent, picture, ratio, systemOf, table, times } from './results-text.mjs';

/** @param {Results} results @param {Results} xeon lookups with other caches */
export function pagecachePart(results, xeon) {
  /** @param {string} experiment @param {string} unit */
  const of = (experiment, unit) => new Measured(results, experiment, unit);
  const lookups = of('lookups', 'lookups/µs');
  const onLock = of('lookups', 'share of time waiting for the line of tree_lock');
  const elapsed = of('faults', 'µs elapsed');
  const system = of('faults', 'µs system time');
  const gang = of('gang', 'pages/µs');
  const writers = of('writers', 'pages/µs');
  const hot = of('hot-page', 'lookups/µs');
  const written = of('one-writer', 'pages written/µs');
  /** @param {string} design */
  const peak = (design) =>
    writers.sizes.reduce((best, at) => (writers.median(design, at) > writers.median(design, best) ? at : best));
  const starved = written.sizes.find((at) => written.median('tree-lock', at) === 0);
  /** @param {Measured} measured @param {string} design @param {number} from @param {number} to */
  const change = (measured, design, from, to) => measured.median(design, to) / measured.median(design, from);
  return `## The lockless page cache

${picture('lookups', 'Lookups of cached pages on 1 to 64 CPUs, three generations')}

Lookups per µs; each CPU looks up pages of its own part of one file:

${table(lookups, 'CPUs')}

With 64 CPUs the rwlock lets ${times(change(lookups, 'tree-lock', 1, 64))} the lookups of one CPU through, freeze-refs
${times(change(lookups, 'freeze-refs', 1, 64))}. Readers do not exclude each other: with 16 CPUs they spend ${percent(onLock.median('tree-lock', 16))} of their time
waiting for the cache line that the lock's word is in. That is what the profile of 2005 says too: the hot spot is \`_read_unlock_irq\`.

With the caches of eight sockets of a later machine (\`--caches xeon\`) the lock falls in steps, when a further socket, and a farther one, comes in; lockless lookups need no caches of others and do not notice:

${table(new Measured(xeon, 'lookups', 'lookups/µs'), 'CPUs')}

${picture('faults', 'Read faults of one file by 1 to 64 processes, simulated and published')}

${claims([
  [
    'faults of 64 processes against one, with the lock: throughput',
    times(ratio(PUBLISHED_FAULTS, 'tree-lock', 1, 64)),
    times(1 / change(elapsed, 'tree-lock', 1, 64)),
  ],
  [
    'the same, lockless',
    times(ratio(PUBLISHED_FAULTS, 'lockless', 1, 64)),
    times(1 / change(elapsed, 'freeze-refs', 1, 64)),
  ],
  [
    'system time of 64 processes, the lock against lockless',
    times(systemOf('tree-lock') / systemOf('lockless')),
    times(system.median('tree-lock', 64) / system.median('freeze-refs', 64)),
  ],
  [
    'one process, lockless against the lock: elapsed time',
    `${percent(1 - 2.04 / 2.09)} less`,
    `${percent(1 - elapsed.median('freeze-refs', 1) / elapsed.median('tree-lock', 1))} less`,
  ],
  [
    'freeze-refs against nonewrefs, one CPU: lookups',
    'faster',
    `${percent(lookups.median('freeze-refs', 1) / lookups.median('nonewrefs', 1) - 1)} faster`,
  ],
  [
    '16 pages in one lookup against one by one, with the lock',
    times(ratio(PUBLISHED_GANG, 'tree-lock', 16, 1)),
    times(change(gang, 'tree-lock', 1, 16)),
  ],
  ['the same, freeze-refs', '', times(change(gang, 'freeze-refs', 1, 16))],
  [
    'writers of one file, with the rwlock: best number of threads, and throughput of 32 against one',
    `4, ${times(ratio(PUBLISHED_WRITERS, 'tree-lock', 32, 1))}`,
    `${peak('tree-lock')}, ${times(change(writers, 'tree-lock', 1, 32))}`,
  ],
])}

Sources: ${PUBLISHED_FAULTS.source}; ${PUBLISHED_GANG.source}; ${PUBLISHED_WRITERS.source}; freeze against PG_nonewrefs: Nick Piggin, mail 42680917113, 2007.
System time of the first, of 1 and of 64 processes: ${Object.entries(PUBLISHED_FAULTS_SYSTEM.values)
    .map(([design, pairs]) => `${design} ${pairs.map(([, seconds]) => `${seconds} s`).join(' and ')}`)
    .join('; ')}.

${picture('gang', 'Pages per second by the number of pages in one lookup')}

${picture('patterns', 'Lookups with freeze-refs: own pages, any pages, one page')}

The lockless lookup still writes one shared word: the page's count. Pages that others look up too come from another CPU's cache, and one page that everybody looks up is a
wall: ${digits(hot.median('freeze-refs', 64))} lookups per µs on 64 CPUs, whereas one CPU alone does ${digits(hot.median('freeze-refs', 1))}. No lock is left there to take away.

${picture('writers', 'Pages written per second by 1 to 64 CPUs, simulated and published')}

Writers take tree_lock in every generation, so nothing is won: with the rwlock ${peak('tree-lock')} CPUs write most, with the spin lock of freeze-refs ${peak('freeze-refs')}. What changes is what readers do to
a writer:
${
  starved === undefined
    ? 'a writer among readers of the rwlock goes on, slowly.'
    : `with ${starved} CPUs, ${starved - 1} of them readers, the rwlock was never free in the time that was measured, and the writer wrote nothing; lockless it wrote ${digits(1000 * written.median('freeze-refs', starved))} pages per ms.`
}`;
}

const IN_SEMAPHORE = 'share of time in down_read and up_read of mmap_sem';

/** @param {Results} results @param {Results} xeon direct I/O with other caches */
export function pinsPart(results, xeon) {
  const [locked, fast] = ['get_user_pages', 'get_user_pages_fast'];
  const { cpus, won, inSemaphore, inSemaphoreFast } = PUBLISHED_PINS;
  const pins = new Measured(results, 'pins', 'requests/µs');
  const waiting = new Measured(results, 'pins', IN_SEMAPHORE);
  const requests = new Measured(xeon, 'direct-io', 'requests/µs');
  const semaphore = new Measured(xeon, 'direct-io', IN_SEMAPHORE);
  /** @param {number} at */
  const gain = (at) => requests.median(fast, at) / requests.median(locked, at) - 1;
  return `## get_user_pages without a lock

${picture('pins', 'Pages pinned by the threads of one process on 1 to 64 CPUs, with mmap_sem and without')}

Threads of one process pin pages of their own buffers, which are all there, one at a time: \`get_user_pages()\` with mmap_sem for reading, as direct I/O did up to
2.6.26, and \`get_user_pages_fast()\`. Nothing that they need is shared but the locks. Pages pinned and unpinned per µs:

${table(pins, 'CPUs')}

With 64 CPUs ${percent(waiting.median(locked, 64))} of the time goes into \`down_read()\` and \`up_read()\`, which wait for the line of the semaphore. The rest is mostly
page_table_lock, which is one for the address space here (2.6.27 splits it where there are four CPUs and more). On one CPU, where nobody waits, \`get_user_pages()\` takes longer because it
does more: it finds the area, takes both locks, and marks the page as used.

A data base does other things too. With \`--caches xeon\`, where ${cpus} CPUs are one socket (the published machine had two of four), and so much work for each request that the semaphore takes of the time of ${cpus} CPUs what it
took there, the other rows are results:

${claims([
  [
    `\`down_read\` and \`up_read\`, ${cpus} CPUs, \`${locked}\``,
    percent(inSemaphore),
    `${percent(semaphore.median(locked, cpus))} (set by the work for a request)`,
  ],
  [`the same, \`${fast}\``, percent(inSemaphoreFast), percent(semaphore.median(fast, cpus))],
  [`requests, \`${fast}\` against \`${locked}\`, ${cpus} CPUs`, `${percent(won)} more`, `${percent(gain(cpus))} more`],
  ['the same, 1 CPU', '', `${percent(gain(1))} more`],
  ['the same, 16 CPUs', '“larger gains on larger systems”', `${percent(gain(16))} more`],
])}

Source: ${PUBLISHED_PINS.source}. Nothing else takes mmap_sem in the simulated run, so without the lock nothing is left of it. Of what is won on ${cpus} CPUs most is won on one, too: the way is shorter. The
waiting comes on top, and all at once where the line of the semaphore has to come from another socket.`;
}
