// SPDX-License-Identifier: MIT

/** What the real kernel did, in the order of the records around it. Units: format.ts. */

/** When a record begins, and whose it is. */
export interface At {
  tid: number;
  start: number;
}
/** A record that takes time. */
export interface Spans extends At {
  end: number;
}

export interface RssPages {
  file: number;
  anon: number;
  swap: number;
  shmem: number;
}

export type RssMember = keyof RssPages;

/** Truth: pages `index` … `index + pages - 1` of the file entered the page cache. */
export interface Added extends At {
  kind: 'added';
  file: number;
  index: number;
  pages: number;
}
/** Truth: they left it. */
export interface Removed extends At {
  kind: 'removed';
  file: number;
  index: number;
  pages: number;
}
/** Truth: an address space's counter has a new value, in pages. */
export interface Rss extends At {
  kind: 'rss';
  space: number;
  member: RssMember;
  pages: number;
}
/** Truth: a read fault mapped those of the cached pages `first` … `last` that were uptodate (fault-around). */
export interface MapAround extends At {
  kind: 'map-around';
  file: number;
  first: number;
  last: number;
}
/** Truth: a file fault went to the filesystem's fault handler for this page. */
export interface FileFault extends At {
  kind: 'file-fault';
  file: number;
  index: number;
}

export type TruthRecord = Added | Removed | Rss | MapAround | FileFault;
