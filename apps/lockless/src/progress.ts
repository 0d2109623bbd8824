// SPDX-License-Identifier: MIT
import type { Progress } from '@lockless/checker';
import type { ExperimentProgress } from '@lockless/experiments';
import type { NativeBenchProgress } from '@lockless/native-bench';
import type { SearchProgress } from '@lockless/oracle';
import type { SimulationProgress } from '@lockless/replay';
import type { Ora } from 'ora';
import ora from 'ora';
import type { Output } from './io.js';

/** One line on stderr while work goes on; nothing when stderr is no terminal. */
class ProgressLine {
  private readonly spinner: Ora | null;

  constructor(stream: Output) {
    // ora counts the lines it wrote by the width, which a terminal that nobody told it does not know: it is 0.
    const terminal = stream.isTTY === true && (stream.columns ?? 0) > 0;
    this.spinner = terminal ? ora({ stream, isEnabled: true, discardStdin: false }) : null;
  }

  protected draw(text: string): void {
    if (this.spinner === null) return;
    this.spinner.text = text;
    // Draws at once, so that even a short run says how far it came.
    if (!this.spinner.isSpinning) this.spinner.start();
  }

  stop(): void {
    this.spinner?.stop();
  }
}

/** How far a run of the simulated machine is. */
export class RunProgress extends ProgressLine {
  private readonly started = performance.now();

  show(at: SimulationProgress): void {
    const seconds = (performance.now() - this.started) / 1000;
    const share = at.operationsTotal === 0 ? 1 : at.operations / at.operationsTotal;
    const left = share > 0.02 ? `, ${Math.ceil((seconds * (1 - share)) / share)} s left` : '';
    const rate = seconds > 0 ? ` ${(at.accesses / seconds / 1e6).toFixed(1)} M accesses/s` : '';
    this.draw(`${Math.floor(share * 100)} % of ${at.operationsTotal} operations,${rate}${left}`);
  }
}

/** How far a check is. */
export class CheckProgress extends ProgressLine {
  show(what: string, { executions, estimate, seconds }: Progress): void {
    const known = estimate !== null && estimate > executions;
    const total = known ? ` of about ${rounded(estimate)}` : '';
    const left =
      known && executions > 0 ? `, ${Math.ceil((seconds * (estimate - executions)) / executions)} s left` : '';
    const rate = seconds > 0 ? `, ${rounded(executions / seconds)}/s` : '';
    this.draw(`${what}: ${executions.toLocaleString('en-US')} executions${total}${rate}${left}`);
  }
}

/** How many generated scripts were performed on both sides. */
export class OracleProgress extends ProgressLine {
  show(count: number, { scripts, shrinking }: SearchProgress): void {
    this.draw(
      shrinking ? `a difference after ${scripts} scripts; looking for a shorter one` : `${scripts} of ${count} scripts`,
    );
  }
}

/** Which run of which experiment is made. */
export class ExperimentProgressLine extends ProgressLine {
  private readonly started = performance.now();

  show({ experiment, design, at, done, total }: ExperimentProgress): void {
    const seconds = (performance.now() - this.started) / 1000;
    const rate = seconds > 1 ? `, ${(done / seconds).toFixed(1)} runs/s` : '';
    this.draw(`${done} of ${total} runs: ${experiment}, ${design}, ${at}${rate}`);
  }
}

/** Which experiment on this machine is under way. */
export class NativeBenchProgressLine extends ProgressLine {
  show({ experiment, what, done, total }: NativeBenchProgress): void {
    this.draw(`${done} of ${total} experiments: ${experiment}, ${what}`);
  }
}

/** How many of several litmus tests are done, and which one is waited for. */
export class LitmusProgress extends ProgressLine {
  private readonly files: readonly string[];
  private done = 0;
  private since = performance.now();
  private timer: NodeJS.Timeout | undefined;

  constructor(stream: Output, files: readonly string[]) {
    super(stream);
    this.files = files;
  }

  start(): void {
    this.show();
    this.timer = setInterval(() => this.show(), 250);
  }

  /** Takes the line away, so that something else can be printed. */
  pause(): void {
    super.stop();
  }

  next(): void {
    this.done++;
    this.since = performance.now();
    if (this.done < this.files.length) this.show();
  }

  override stop(): void {
    clearInterval(this.timer);
    super.stop();
  }

  private show(): void {
    const seconds = Math.floor((performance.now() - this.since) / 1000);
    this.draw(
      `${this.done} of ${this.files.length} tests, ${this.files[this.done]}${seconds > 0 ? ` for ${seconds} s` : ''}`,
    );
  }
}

/** Which litmus test runs on threads. */
export class NativeProgress extends ProgressLine {
  private readonly files: readonly string[];

  constructor(stream: Output, files: readonly string[]) {
    super(stream);
    this.files = files;
  }

  calibrating(): void {
    this.draw('does this machine reorder?');
  }

  show(done: number, batches: number): void {
    this.draw(`${done} of ${this.files.length} tests, ${this.files[done]}: ${batches.toLocaleString('en-US')} batches`);
  }
}

/** Which scenario's program runs on threads. */
export class OutcomesProgress extends ProgressLine {
  private readonly names: readonly string[];

  constructor(stream: Output, names: readonly string[]) {
    super(stream);
    this.names = names;
  }

  show(done: number, batches: number): void {
    this.draw(`${this.names[done]}, ${done + 1} of ${this.names.length}: ${batches.toLocaleString('en-US')} batches`);
  }
}

/** Two digits are all that an estimate has. */
const rounded = (n: number): string => Number(n.toPrecision(2)).toLocaleString('en-US');
