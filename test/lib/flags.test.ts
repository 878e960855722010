import { expect, it } from 'vitest'
import { type FlagType, parseFlags } from '../../lib/flags.ts'

const known = new Map<string, FlagType>([
  ['name', 'value'],
  ['address', 'value'],
  ['on', 'boolean'],
])

it.each<[readonly string[], readonly string[]]>([
  [[], []],
  [
    ['--name=x', '--address', 'fd00::1'],
    ['name=x', 'address=fd00::1'],
  ],
  [
    ['--name', 'x', '--name=y', '--name', 'z'],
    ['name=x', 'name=y', 'name=z'],
  ],
  [['--on'], ['on=true']],
  [
    ['--on=false', '--on'],
    ['on=false', 'on=true'],
  ],
  [
    ['--on', '--name=x'],
    ['on=true', 'name=x'],
  ],
  [['--on='], ['on=']],
  [['--name='], ['name=']],
  [['--name', ''], ['name=']],
  [['--name=--on'], ['name=--on']],
  [['--name=a=b c\n'], ['name=a=b c\n']],
  [['--'], []],
])('%j are %j', (args, given) => {
  expect(parseFlags(args, known).map(({ name, value }) => `${name}=${value}`)).toEqual(given)
})

it.each([
  [['--nam=secret'], 'there is no flag --nam: did you mean --name?'],
  [['--adress', 'secret'], 'there is no flag --adress: did you mean --address?'],
  [['-name=secret'], 'there is no flag -name: did you mean --name?'],
  [['--quite-different'], 'there is no flag --quite-different'],
  [['--__proto__=secret'], 'there is no flag --__proto__'],
  [['-x'], 'there is no flag -x'],
  [['--no-on'], 'there is no flag --no-on'],
  // A line of a YAML list is one argument.
  [['--name secret'], '--name has something else than "=" behind it: write --name=VALUE'],
  [['--name:secret'], '--name has something else than "=" behind it: write --name=VALUE'],
  [['--nam: secret'], 'there is no flag --nam: did you mean --name?'],
  [[`--${'x'.repeat(100_000)}`], `there is no flag --${'x'.repeat(60)}`],
  ...['\u{2013}-name=secret', '\u{2014}name=secret', '-\u{2013}name', '--na\u{2011}me=secret'].map(
    (arg): [string[], string] => [
      [arg],
      'a flag is written with a dash that is no hyphen, as pasted from a web page: type "-"',
    ],
  ),
  [['--name'], '--name has no value: write --name=VALUE'],
  [['--name', '--on'], '--name has no value: write --name=VALUE'],
  [['secret'], 'the first argument is not a flag: flags begin with "--"'],
  [['-'], 'the first argument is not a flag: flags begin with "--"'],
  [
    ['--on', 'false'],
    'the argument after --on is not a flag: a flag that is on or off takes its value after "=", as in --on=false',
  ],
  [['--name', 'a', 'secret'], 'the argument after --name is not a flag: quote a value that has spaces in it'],
  [
    ['--on', '--', '--name=secret'],
    'the argument after --on is not a flag: a flag that is on or off takes its value after "=", as in --on=false',
  ],
])('%j: %s', (args, message) => {
  expect(() => parseFlags(args, known)).toThrow(expect.objectContaining({ code: 'usage', message }))
})
