import { CulvertError } from '../../lib/errors.ts'
import { completed, type CompletedFlag } from './completed.ts'
import { commands } from './commands.ts'

/**
 * The script with which a shell completes commands and flags.
 * @throws CulvertError `usage` unless `args` is the name of one shell.
 */
export function completion(args: readonly string[]): string {
  const script = args.length === 1 ? new Map(Object.entries({ bash, zsh, fish })).get(args[0]!) : undefined
  if (script !== undefined) return script()
  throw new CulvertError('usage', `completion takes one shell: ${commands.completion.words.join(', ')}`)
}

const names = completed.map(({ name }) => name)
const whatRuns = (name: string): string => (name === 'run' ? 'run|-*' : name)

function bash(): string {
  const flags = completed.flatMap((command) => command.flags)
  const after = (values: CompletedFlag['values']): string =>
    [...new Set(flags.flatMap((flag) => (flag.values === values ? `--${flag.name}` : [])))].join('|')
  const words = completed.map((command) => {
    const own = command.flags.map(({ name, values }) => `--${name}${['none', 'boolean'].includes(values) ? '' : '='}`)
    return `      ${whatRuns(command.name)}) words='${[...command.words, ...own].join(' ')}' ;;`
  })
  return `# For bash: source <(culvert completion bash)
_culvert() {
  local cur=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} equals= words=
  COMPREPLY=()
  # Bash treats "=" and ":" as separate words.
  if [[ $cur == = ]]; then
    equals=yes cur=
  elif [[ $before == = ]]; then
    equals=yes before=\${COMP_WORDS[COMP_CWORD - 2]}
  elif [[ $cur == : ]]; then
    before=: cur=
  fi
  case $before in
    ${after('boolean')}) words=\${equals:+true false} ;;
    ${after('file:PATH')}) words=file: ;;
    ${after('path')}|:)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      return
      ;;
    ${after('any')}) return ;;
  esac
  if [[ -n $words ]]; then
    :
  elif ((COMP_CWORD == 1)) && [[ $cur != -* ]]; then
    words='${names.join(' ')}'
  else
    case \${COMP_WORDS[1]} in
${words.join('\n')}
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
  if [[ \${COMPREPLY[0]-} == *[=:] ]]; then
    compopt -o nospace
  fi
}
complete -F _culvert culvert
`
}

function zsh(): string {
  const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`
  const escape = (text: string): string => text.replaceAll(/[\\[\]:]/g, String.raw`\$&`)
  const values = {
    none: ['', ''],
    boolean: ['=-', '::value:(true false)'],
    path: ['=', ':path:_files'],
    'file:PATH': ['=', ':file:_culvert_secret'],
    any: ['=', ':value:'],
  } as const satisfies Record<CompletedFlag['values'], readonly [string, string]>
  const flag = ({ name, summary, values: kind }: CompletedFlag): string =>
    quote(`*--${name}${values[kind][0]}[${escape(summary)}]${values[kind][1]}`)
  const first = (words: readonly string[], positionals: readonly string[]): string[] =>
    words.length > 0
      ? [`1:word:(${words.join(' ')})`]
      : positionals.map((what, index) => `${index + 1}:${escape(what)}:`)
  const cases = completed.map(({ name, words, positionals, flags }) => {
    const specs = [...first(words, positionals).map(quote), ...flags.map(flag)]
    return `    ${whatRuns(name)})\n      flags=(\n${specs.map((spec) => `        ${spec}\n`).join('')}      )\n      ;;`
  })
  return `#compdef culvert
# For zsh: source <(culvert completion zsh), or as the file _culvert in a folder of $fpath
_culvert_secret() {
  if compset -P file:; then
    _files
  else
    compadd -S '' file:
  fi
}
_culvert() {
  local -a commands flags
  if ((CURRENT == 2)) && [[ $words[2] != -* ]]; then
    commands=(
${completed.map(({ name, summary }) => `      ${quote(`${name}:${summary}`)}\n`).join('')}    )
    _describe command commands
    return
  fi
  case $words[2] in
${cases.join('\n')}
  esac
  if [[ $words[2] != -* ]]; then
    shift words
    ((CURRENT--))
  fi
  _arguments $flags
}
if [[ $funcstack[1] == _culvert ]]; then
  _culvert "$@"
else
  compdef _culvert culvert
fi
`
}

function fish(): string {
  const quote = (text: string): string => `'${text.replaceAll(/[\\']/g, String.raw`\$&`)}'`
  const values = {
    none: '',
    boolean: " -a 'true false'",
    path: ' -r -F',
    'file:PATH': " -x -a '(__culvert_secret)'",
    any: ' -x',
  } as const satisfies Record<CompletedFlag['values'], string>
  const lines = completed.flatMap(({ name, summary, words, flags }) => [
    `complete -c culvert -n __culvert_begins -a ${name} -d ${quote(summary)}`,
    ...words.map((word) => `complete -c culvert -n '__culvert_runs ${name}' -a ${word}`),
    ...flags.map(
      (flag) =>
        `complete -c culvert -n '__culvert_runs ${name}' -l ${flag.name}${values[flag.values]} -d ${quote(flag.summary)}`,
    ),
  ])
  return `# For fish: culvert completion fish | source
function __culvert_begins
  test (count (commandline -opc)) -eq 1
end
function __culvert_runs
  set -l words (commandline -opc) (commandline -ct)
  switch "$words[2]"
    case '-*'
      test $argv[1] = run
    case '*'
      test $argv[1] = "$words[2]"
  end
end
function __culvert_secret
  set -l path (string replace -r '^(--[a-z-]+=)?(file:)?' '' -- (commandline -ct))
  echo file:
  printf 'file:%s\\n' (__fish_complete_path $path | string replace -r '\\t.*' '')
end
complete -c culvert -f
${lines.join('\n')}
`
}
