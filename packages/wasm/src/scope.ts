// SPDX-License-Identifier: MIT
import type { FunctionSource } from './program.js';
import type { Type, Value } from './word.js';

/** A variable of WebAssembly. */
export interface Local {
  readonly name: string;
  /** What is known of its type so far: more with each turn of the translation. */
  type: Type | undefined;
  /** It keeps its first value. */
  constant?: boolean;
}
export type Binding = { readonly local: Local } | { readonly value: Value };

/** Where `break` or `continue` goes. */
interface Target {
  /** The label in the source, or ''. */
  readonly name: string;
  readonly break: string;
  readonly continue: string | null;
  /** Whether something breaks out of it. */
  readonly left: { yes: boolean };
}

/** A function that is being written out: in its place, with variables of its own. */
export class Frame {
  readonly source: FunctionSource;
  readonly id: string;
  readonly result: Local;
  readonly targets: Target[] = [];
  private readonly names: Map<string, Binding>[] = [new Map()];

  constructor(source: FunctionSource, id: string, result: Local) {
    this.source = source;
    this.id = id;
    this.result = result;
  }

  bind(name: string, binding: Binding): void {
    this.names[this.names.length - 1].set(name, binding);
  }

  find(name: string): Binding | undefined {
    for (let at = this.names.length - 1; at >= 0; at--) {
      const found = this.names[at].get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  within<T>(body: () => T): T {
    this.names.push(new Map());
    try {
      return body();
    } finally {
      this.names.pop();
    }
  }
}

/** Names of the variables and labels of one exported function: the same in each turn. */
export class Names {
  readonly locals: string[] = [];
  private count = 0;
  private readonly types: Map<string, Local>;

  /** `types`: what the turns before have found. */
  constructor(types: Map<string, Local>) {
    this.types = types;
  }

  label(what: string): string {
    return `$${what}${this.count++}`;
  }

  /** A variable; its type is kept from turn to turn. */
  local(what: string): Local {
    const local = this.result(what);
    this.locals.push(local.name);
    return local;
  }

  /** The type of what a function returns. */
  result(what: string): Local {
    const name = this.label(what);
    const before = this.types.get(name) ?? { name, type: undefined };
    this.types.set(name, before);
    return before;
  }
}
