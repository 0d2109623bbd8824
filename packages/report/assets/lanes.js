// SPDX-License-Identifier: MIT
// What ran on each CPU over virtual time: one lane a CPU, one colour for each of the busiest tasks.
Object.assign(
  globalThis.lockless,
  (() => {
    const { element, color, axis, figure } = globalThis.lockless;
    const COLORS = 8;
    const LANE = 26;

    const milliseconds = (ns) =>
      (ns / 1e6).toLocaleString('en-US', { minimumFractionDigits: 3, maximumFractionDigits: 3 });

    /** The slices in full, and how long each task ran. */
    function unfold({ tasks, cpus }) {
      const total = tasks.map(() => 0);
      const rows = cpus.map(({ cpu, task, gap, length }) => {
        let at = 0;
        const slices = task.map((index, i) => {
          const from = at + gap[i];
          at = from + length[i];
          total[index] += length[i];
          return { from, to: at, task: index };
        });
        return { cpu, slices };
      });
      return { rows, total };
    }

    function lanes(data) {
      const { rows, total } = unfold(data);
      const busiest = data.tasks
        .map((_, i) => i)
        .sort((a, b) => total[b] - total[a])
        .slice(0, COLORS);
      const variable = (task) => (busiest.includes(task) ? `--series-${busiest.indexOf(task) + 1}` : '--soft');
      const last = Math.max(1, ...rows.map(({ slices }) => slices.at(-1)?.to ?? 0)) / 1e6;
      const readout = element('p', { class: 'readout' }, 'Point at a slice to see what ran.');

      const paint = (plot) => {
        const { ctx, bbox } = plot;
        const colors = data.tasks.map((_, task) => color(variable(task)));
        ctx.save();
        ctx.beginPath();
        ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
        ctx.clip();
        rows.forEach(({ slices }, row) => {
          const top = plot.valToPos(row - 0.38, 'y', true);
          const height = plot.valToPos(row + 0.38, 'y', true) - top;
          for (const { from, to, task } of slices) {
            const left = plot.valToPos(from / 1e6, 'x', true);
            const right = plot.valToPos(to / 1e6, 'x', true);
            if (right < bbox.left || left > bbox.left + bbox.width) continue;
            ctx.fillStyle = colors[task];
            ctx.fillRect(left, top, Math.max(1, right - left), height);
          }
        });
        ctx.restore();
      };

      const point = (plot) => {
        const { left, top } = plot.cursor;
        if (left === undefined || left < 0) return;
        const row = rows[Math.round(plot.posToVal(top, 'y'))];
        const ns = plot.posToVal(left, 'x') * 1e6;
        const slice = row?.slices.find(({ from, to }) => from <= ns && ns <= to);
        if (row === undefined) return;
        readout.textContent = slice
          ? `CPU ${row.cpu}: ${data.tasks[slice.task]} from ${milliseconds(slice.from)} to ${milliseconds(slice.to)} ms`
          : `CPU ${row.cpu}: idle at ${milliseconds(ns)} ms`;
      };

      const names = busiest.map((task) => entry(data.tasks[task], variable(task)));
      const others = data.tasks.length - busiest.length;
      if (others > 0) names.push(entry(`${others} other tasks`, '--soft'));

      const height = 66 + LANE * rows.length;
      const { node, draw } = figure('What ran on each CPU', (width, holder) => {
        const options = {
          width,
          height,
          legend: { show: false },
          cursor: { y: false, points: { show: false } },
          scales: { x: { time: false }, y: { range: [-0.6, rows.length - 0.4], dir: -1 } },
          axes: [
            axis('virtual time, ms', { size: 32 }),
            axis('CPU', {
              size: 44,
              grid: { show: false },
              ticks: { show: false },
              splits: () => rows.map((_, row) => row),
              values: (_plot, ticks) => ticks.map((row) => String(rows[row].cpu)),
            }),
          ],
          series: [{}, { points: { show: false } }],
          hooks: { draw: [paint], setCursor: [point] },
        };
        const plot = new globalThis.uPlot(
          options,
          [
            [0, last],
            [null, null],
          ],
          holder,
        );
        plot.ctx.canvas.setAttribute('aria-label', `Which task ran on each of ${rows.length} CPUs`);
        return plot;
      });
      node.classList.add('wide');
      node.append(element('ul', { class: 'names' }, ...names), readout);
      return { node, draw };
    }

    function entry(name, variable) {
      const swatch = element('span', { class: 'swatch' });
      swatch.style.background = `var(${variable})`;
      return element('li', {}, swatch, name);
    }

    return { lanes };
  })(),
);
