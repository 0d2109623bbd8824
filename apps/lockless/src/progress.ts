// SPDX-License-Identifier: MIT
import type { SimulationProgress } from '@lockless/replay';
import type { Ora } from 'ora';
import ora from 'ora';
import type { Output } from './io.js';

/** One line on stderr while a run goes on; nothing when stderr is no terminal. */
export class RunProgress {
  private readonly spinner: Ora | null;
  private readonly started = performance.now();

  constructor(stream: Output) {
    // ora counts the lines it wrote by the width, which a terminal that nobody told it does not know: it is 0.
    const terminal = stream.isTTY === true && (stream.columns ?? 0) > 0;
    this.spinner = terminal ? ora({ stream, isEnabled: true, discardStdin: false }) : null;
  }

  show(at: SimulationProgress): void {
    if (this.spinner === null) return;
    const seconds = (performance.now() - this.started) / 1000;
    const share = at.operationsTotal === 0 ? 1 : at.operations / at.operationsTotal;
    const left = share > 0.02 ? `, ${Math.ceil((seconds * (1 - share)) / share)} s left` : '';
    const rate = seconds > 0 ? ` ${(at.accesses / seconds / 1e6).toFixed(1)} M accesses/s` : '';
    this.spinner.text = `${Math.floor(share * 100)} % of ${at.operationsTotal} operations,${rate}${left}`;
    // Draws at once, so that even a short run says how far it came.
    if (!this.spinner.isSpinning) this.spinner.start();
  }

  stop(): void {
    this.spinner?.stop();
  }
}
