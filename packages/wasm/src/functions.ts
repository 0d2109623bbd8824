// SPDX-License-Identifier: MIT
import { Session } from 'node:inspector';

/** Of the module that functions are of: says what a name at its top stands for. */
export const VALUE_OF = '$valueOf';

/** Where a function that runs here is in the text of its script, and what it has from the functions around it. */
export interface Located {
  /** From 0. */
  readonly line: number;
  /** From 0. */
  readonly column: number;
  /** Innermost first. Names of the module itself are not among them. */
  readonly captured: readonly Readonly<Record<string, unknown>>[];
}

interface Property {
  readonly name: string;
  readonly value: { readonly objectId?: string; readonly description?: string; readonly value?: unknown };
}

/** What the debugger of this process knows of a function; null for one that has no text. */
export class Functions {
  private readonly session = new Session();
  /** Where a value is laid down for the other side. */
  private readonly place = `$lockless${process.pid}`;

  constructor() {
    this.session.connect();
  }

  locate(fn: object): Located | null {
    const found = this.internal(this.idOf(fn));
    const location = found.find(({ name }) => name === '[[FunctionLocation]]')?.value.value as
      | { lineNumber: number; columnNumber: number }
      | undefined;
    if (location === undefined) return null;
    const scopes = found.find(({ name }) => name === '[[Scopes]]')?.value.objectId;
    const captured = scopes === undefined ? [] : this.closures(scopes);
    return { line: location.lineNumber, column: location.columnNumber, captured };
  }

  close(): void {
    this.session.disconnect();
  }

  private closures(scopes: string): Readonly<Record<string, unknown>>[] {
    const { result } = this.post('Runtime.getProperties', { objectId: scopes, ownProperties: true }) as {
      result: Property[];
    };
    return result
      .filter(({ value }) => value.objectId !== undefined && /^(Closure|Block|Local)/.test(value.description ?? ''))
      .map(({ value }) => this.valueOf(value.objectId as string))
      .filter((scope) => !(VALUE_OF in scope));
  }

  /** The variables of a scope, themselves: both sides are the same realm. */
  private valueOf(objectId: string): Readonly<Record<string, unknown>> {
    const realm = globalThis as unknown as Record<string, unknown>;
    this.post('Runtime.callFunctionOn', {
      objectId,
      functionDeclaration: `function () { globalThis.${this.place} = this; }`,
    });
    const { object } = realm[this.place] as { object: Record<string, unknown> };
    delete realm[this.place];
    return object;
  }

  private idOf(value: object): string {
    const realm = globalThis as unknown as Record<string, unknown>;
    realm[this.place] = value;
    const { result } = this.post('Runtime.evaluate', { expression: `globalThis.${this.place}` }) as {
      result: { objectId: string };
    };
    delete realm[this.place];
    return result.objectId;
  }

  private internal(objectId: string): readonly Property[] {
    const found = this.post('Runtime.getProperties', { objectId, ownProperties: true });
    return (found as { internalProperties?: Property[] }).internalProperties ?? [];
  }

  /** Within one thread an inspector answers before post() returns. */
  private post(method: string, parameters: object): object {
    let answer: object | undefined;
    let failure: Error | null = null;
    this.session.post(method, parameters, (error, result) => {
      failure = error;
      answer = result;
    });
    if (failure !== null) throw failure;
    if (answer === undefined) throw new Error(`${method}: the inspector did not answer at once`);
    return answer;
  }
}
