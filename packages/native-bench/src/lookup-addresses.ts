// SPDX-License-Identifier: GPL-2.0-only

/** Where in word memory a thread finds what a lookup reads and writes apart from the tree and the page: word addresses. */
export interface LookupAddresses {
  /** The grace-period counter of user-space RCU, `urcu_gp.ctr`. */
  readonly gracePeriod: number;
  /** This thread's word in `urcu_reader`. */
  readonly reader: number;
  /** This thread's event counters: lookups, references that were refused, pages that had left their slot. */
  readonly lookups: number;
  readonly refused: number;
  readonly moved: number;
}

/** A symbol of the data segment, as cpu's staticSymbols() gives them. */
interface Symbol {
  readonly name: string;
  readonly address: number;
}

/** The numbers of the events, as the page package gives them. */
export interface LookupEvents {
  readonly lookups: number;
  readonly refused: number;
  readonly moved: number;
}

/** The addresses for the thread that is that CPU. The static symbols are those of the build that runs: each build lays them out by itself. */
export function lookupAddresses(symbols: readonly Symbol[], events: LookupEvents, cpu: number): LookupAddresses {
  const addressOf = (name: string): number => {
    const found = symbols.find((symbol) => symbol.name === name);
    if (found === undefined) throw new Error(`no static symbol is called ${name}`);
    return found.address;
  };
  const ofCpu = (name: string): number => addressOf(cpu === 0 ? name : `${name}[${cpu}]`);
  const counters = ofCpu('vm_counters');
  return {
    gracePeriod: addressOf('urcu_gp'),
    reader: ofCpu('urcu_reader'),
    lookups: counters + events.lookups,
    refused: counters + events.refused,
    moved: counters + events.moved,
  };
}
