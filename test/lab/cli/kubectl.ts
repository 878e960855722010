import { openBed } from '../bed.ts'
import { enterNetwork } from '../ground/enter.ts'
import { nameHelp, nameOption, parse, UsageError, type Verb } from './verb.ts'
import { runHere } from './exec.ts'

export const kubectl: Verb = {
  name: 'kubectl',
  summary: 'run kubectl as the administrator of the cluster',
  help: `npm run lab -- kubectl [--name NAME] -- ARGUMENTS…

Runs kubectl, with this terminal, files and working directory, and ends with its exit code.

${nameHelp}`,
  run: async (args) => {
    const at = args.indexOf('--')
    const { values } = parse({ args: at === -1 ? [...args] : args.slice(0, at), options: nameOption })
    if (at === -1) throw new UsageError('what kubectl is to do follows `--`')
    const bed = await openBed(values.name)
    const { kubeconfig, program } = bed.cluster
    const argv = [...enterNetwork(bed.record.holder!.pid), program, ...args.slice(at + 1)]
    return await runHere(argv, { ...process.env, KUBECONFIG: kubeconfig, NO_PROXY: '*' })
  },
}
