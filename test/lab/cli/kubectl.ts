import { openBed } from '../bed.ts'
import { nameHelp, nameOption, parse, UsageError, type Verb } from './verb.ts'
import { runHere } from './exec.ts'

export const kubectl: Verb = {
  name: 'kubectl',
  summary: 'run kubectl as the administrator of the cluster',
  help: `npm run lab -- kubectl [--name NAME] -- ARGUMENTS…

Runs kubectl, with this terminal, files and working directory, and exits with its exit code.

${nameHelp}`,
  run: async (args) => {
    const at = args.indexOf('--')
    const { values } = parse({ args: args.slice(0, Math.max(at, 0)), options: nameOption })
    if (at === -1) throw new UsageError('what kubectl is to do follows `--`')
    const { kubeconfig, argv } = (await openBed(values.name)).cluster
    return await runHere([...argv, ...args.slice(at + 1)], { ...process.env, KUBECONFIG: kubeconfig, NO_PROXY: '*' })
  },
}
