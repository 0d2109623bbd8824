// SPDX-License-Identifier: MIT
import type { Expression, ForStatement, Statement, VariableDeclaration } from 'oxc-parser';
import { condition, effect, set, value, word } from './expressions.js';
import type { Done, Translator } from './translator.js';
import { dropped, isThing } from './word.js';

export function block(t: Translator, statements: readonly Statement[]): Done {
  return t.frame.within(() => {
    const texts: string[] = [];
    for (const each of statements) {
      const { text, ends } = statement(t, each);
      texts.push(text);
      if (ends) return { text: texts.join('\n'), ends };
    }
    return { text: texts.join('\n'), ends: false };
  });
}

const goesOn = (text: string): Done => ({ text, ends: false });

function statement(t: Translator, node: Statement, label = ''): Done {
  switch (node.type) {
    case 'EmptyStatement':
      return goesOn('');
    case 'BlockStatement':
      return label === '' ? block(t, node.body) : labelled(t, node.body, label);
    case 'LabeledStatement':
      return statement(t, node.body, node.label.name);
    case 'VariableDeclaration':
      return goesOn(declaration(t, node));
    case 'ExpressionStatement':
      return goesOn(effect(t, node.expression));
    case 'IfStatement':
      return choice(t, node.test, node.consequent, node.alternate);
    case 'ReturnStatement':
      return giveBack(t, node.argument);
    case 'BreakStatement':
    case 'ContinueStatement':
      return { text: `(br ${target(t, node)})`, ends: true };
    case 'ForStatement':
      return t.frame.within(() => loop(t, node, label));
    case 'WhileStatement':
      return loop(t, { init: null, test: node.test, update: null, body: node.body }, label);
    case 'DoWhileStatement':
      return loop(t, { init: null, test: null, update: null, body: node.body, after: node.test }, label);
    default:
      throw t.refuse(node, `${node.type} is none of the subset`);
  }
}

function declaration(t: Translator, node: VariableDeclaration): string {
  if (node.kind === 'var') throw t.refuse(node, 'var is none of the subset');
  return node.declarations
    .map(({ id, init }) => {
      if (id.type !== 'Identifier') throw t.refuse(id, 'a variable is a name');
      if (init !== null && node.kind === 'const') {
        const initial = value(t, init);
        if (isThing(initial) || initial.known !== undefined) {
          t.frame.bind(id.name, { value: initial });
          return '';
        }
        const local = t.names.local(id.name);
        local.constant = true;
        t.frame.bind(id.name, { local });
        return set(t, local, initial, false, init).text;
      }
      const initial = init === null ? null : word(t, init);
      const local = t.names.local(id.name);
      t.frame.bind(id.name, { local });
      return initial === null ? '' : set(t, local, initial, false, node).text;
    })
    .join(' ');
}

function choice(t: Translator, test: Expression, consequent: Statement, alternate: Statement | null): Done {
  const asked = condition(t, test);
  if (asked.known !== undefined) {
    if (asked.known) return block(t, [consequent]);
    return alternate === null ? goesOn('') : block(t, [alternate]);
  }
  const yes = block(t, [consequent]);
  const no = alternate === null ? goesOn('') : block(t, [alternate]);
  const otherwise = no.text === '' ? '' : `(else ${no.text})`;
  return { text: `(if ${asked.text} (then ${yes.text}) ${otherwise})`, ends: yes.ends && no.ends };
}

function giveBack(t: Translator, argument: Expression | null): Done {
  const { frame } = t;
  const returned = argument === null ? null : value(t, argument);
  if (returned === null) {
    t.learn(frame.result, 'none', frame.source.node);
    return { text: `(br ${frame.id})`, ends: true };
  }
  const result = t.word(returned, argument as Expression);
  t.learn(frame.result, result.type, argument as Expression);
  if (frame.result.type === 'none') return { text: `${dropped(result)} (br ${frame.id})`, ends: true };
  return { text: `(br ${frame.id} ${result.text})`, ends: true };
}

function target(t: Translator, node: Statement & { readonly type: 'BreakStatement' | 'ContinueStatement' }): string {
  const { targets } = t.frame;
  const wanted = node.label?.name ?? '';
  const breaks = node.type === 'BreakStatement';
  const found = targets.findLast((each) =>
    wanted === '' ? each.continue !== null : each.name === wanted && (breaks || each.continue !== null),
  );
  if (found === undefined) throw t.refuse(node, 'this leads nowhere');
  if (breaks) found.left.yes = true;
  return breaks ? found.break : (found.continue as string);
}

function labelled(t: Translator, body: readonly Statement[], name: string): Done {
  const label = t.names.label('block');
  const left = { yes: false };
  t.frame.targets.push({ name, break: label, continue: null, left });
  const { text, ends } = block(t, body);
  t.frame.targets.pop();
  return { text: `(block ${label} ${text})`, ends: ends && !left.yes };
}

interface Loop extends Pick<ForStatement, 'init' | 'test' | 'update' | 'body'> {
  /** Asked at the end of each turn. */
  readonly after?: Expression;
}

function loop(t: Translator, { init, test, update, body, after }: Loop, name: string): Done {
  const first = init === null ? '' : init.type === 'VariableDeclaration' ? declaration(t, init) : effect(t, init);
  const [out, again, next] = [t.names.label('out'), t.names.label('again'), t.names.label('next')];
  const left = { yes: false };
  const asked = test === null ? null : condition(t, test);
  const leave =
    asked === null || asked.known === true
      ? ''
      : asked.known === false
        ? `(br ${out})`
        : `(br_if ${out} (i32.eqz ${asked.text}))`;
  if (leave !== '') left.yes = true;
  t.frame.targets.push({ name, break: out, continue: next, left });
  const { text } = block(t, [body]);
  t.frame.targets.pop();
  const then = update === null ? '' : effect(t, update);
  const repeat = after === undefined ? `(br ${again})` : `(br_if ${again} ${condition(t, after).text})`;
  if (after !== undefined) left.yes = true;
  return {
    text: `${first} (block ${out} (loop ${again} ${leave} (block ${next} ${text}) ${then} ${repeat}))`,
    ends: !left.yes,
  };
}
