// SPDX-License-Identifier: MIT

/* Small programs, and their text: written out for the package, and interpreted for the brute force. */

export type Cell = number | string;

export type Step =
  | { readonly do: 'load'; readonly to: string; readonly from: string; readonly how: 'plain' | 'once' | 'acquire' }
  | {
      readonly do: 'store';
      readonly to: string;
      readonly value: number | string;
      readonly how: 'plain' | 'once' | 'release';
    }
  | { readonly do: 'fence'; readonly tag: 'mb' | 'wmb' | 'rmb' | 'rcu-lock' | 'rcu-unlock' | 'sync-rcu' }
  | { readonly do: 'exchange'; readonly to: string; readonly on: string; readonly value: number }
  | {
      readonly do: 'compare';
      readonly to: string;
      readonly on: string;
      readonly expected: number;
      readonly value: number;
    }
  | { readonly do: 'increment'; readonly on: string }
  /** The pointer p is loaded, and what it points to is loaded or stored. */
  | { readonly do: 'follow'; readonly to: string }
  | { readonly do: 'aim'; readonly at: 'x' | 'y' }
  | { readonly do: 'fill'; readonly value: number }
  | { readonly do: 'lock' | 'unlock'; readonly lock: string }
  | { readonly do: 'try'; readonly lock: string; readonly inside: readonly Step[] }
  | {
      readonly do: 'if';
      readonly register: string;
      readonly is: number;
      readonly inside: readonly Step[];
      readonly otherwise: readonly Step[];
    };

export type Program = readonly (readonly Step[])[];

export function sourceOf(program: Program): string {
  const threads = program.map(
    (steps, thread) =>
      `P${thread}(int *x, int *y, int **p, spinlock_t *l)\n{\n${declarations(steps)}${steps.map(textOf).join('')}}\n`,
  );
  const registers = program.flatMap((steps, thread) => [...registersOf(steps)].map((name) => `${thread}:${name};`));
  return `C random\n{ int *p = &x; }\n${threads.join('\n')}\nlocations [x; y; p; ${registers.join(' ')}]\nexists (x=0)\n`;
}

const declarations = (steps: readonly Step[]): string =>
  [...registersOf(steps)].map((name) => `int ${name};\n`).join('');

function registersOf(steps: readonly Step[]): Set<string> {
  const names = new Set<string>();
  for (const step of steps) {
    if ('to' in step && step.do !== 'store') names.add(step.to);
    if (step.do === 'follow') names.add('q');
    if (step.do === 'fill') names.add('q');
    if (step.do === 'try') names.add('t');
    const inner = step.do === 'if' ? [...step.inside, ...step.otherwise] : step.do === 'try' ? step.inside : [];
    for (const name of registersOf(inner)) names.add(name);
  }
  return names;
}

const FENCES: Readonly<Record<string, string>> = {
  mb: 'smp_mb',
  wmb: 'smp_wmb',
  rmb: 'smp_rmb',
  'rcu-lock': 'rcu_read_lock',
  'rcu-unlock': 'rcu_read_unlock',
  'sync-rcu': 'synchronize_rcu',
};

function textOf(step: Step): string {
  switch (step.do) {
    case 'load':
      if (step.how === 'plain') return `${step.to} = *${step.from};\n`;
      return step.how === 'once'
        ? `${step.to} = READ_ONCE(*${step.from});\n`
        : `${step.to} = smp_load_acquire(${step.from});\n`;
    case 'store':
      if (step.how === 'plain') return `*${step.to} = ${step.value};\n`;
      return step.how === 'once'
        ? `WRITE_ONCE(*${step.to}, ${step.value});\n`
        : `smp_store_release(${step.to}, ${step.value});\n`;
    case 'fence':
      return `${FENCES[step.tag]}();\n`;
    case 'exchange':
      return `${step.to} = xchg_acquire(${step.on}, ${step.value});\n`;
    case 'compare':
      return `${step.to} = cmpxchg(${step.on}, ${step.expected}, ${step.value});\n`;
    case 'increment':
      return `atomic_inc(${step.on});\n`;
    case 'follow':
      return `q = rcu_dereference(*p);\n${step.to} = READ_ONCE(*q);\n`;
    case 'aim':
      return `rcu_assign_pointer(*p, ${step.at});\n`;
    case 'fill':
      return `q = READ_ONCE(*p);\nWRITE_ONCE(*q, ${step.value});\n`;
    case 'lock':
      return `spin_lock(${step.lock});\n`;
    case 'unlock':
      return `spin_unlock(${step.lock});\n`;
    case 'try':
      return `t = spin_trylock(${step.lock});\nif (t) {\n${step.inside.map(textOf).join('')}}\n`;
    case 'if':
      return `if (${step.register} == ${step.is}) {\n${step.inside.map(textOf).join('')}} else {\n${step.otherwise.map(textOf).join('')}}\n`;
  }
}
