import { openBed } from '../bed.ts'
import { pathsOf } from '../namespaces/record.ts'
import { searchPath } from '../hosts/host.ts'
import { nameHelp, nameOption, parse, type Verb } from './verb.ts'

export const env: Verb = {
  name: 'env',
  summary: 'shell variables to work with a bed by hand',
  help: `npm run --silent lab -- env [--name NAME]

Prints shell exports: eval "$(npm run --silent lab -- env)"

  LAB_NAME, LAB_STATE        the bed and the directory of its logs and record
  LAB_CONTROL_SOCKET         the control server's admin interface
  LAB_CONTROL_URL            the URL at which nodes log in
  LAB_PID, LAB_PID_<HOST>    the process whose namespaces to enter: nsenter -t $LAB_PID_CLIENT -n -m -p
  LAB_ADDRESS_<HOST>         a host's address on its network
  KUBECONFIG                 of the cluster's administrator, for kubectl and helm in the bed's network:
                             nsenter -t $LAB_PID -n kubectl get pods
  PATH                       with the lab's programs first

${nameHelp}`,
  run: async (args) => {
    const { values } = parse({ args: [...args], options: nameOption })
    const bed = await openBed(values.name)
    const paths = pathsOf(bed.name)
    const variables: Record<string, string> = {
      LAB_NAME: bed.name,
      LAB_STATE: paths.top,
      LAB_CONTROL_SOCKET: paths.controlSocket,
      LAB_CONTROL_URL: bed.controlUrl,
      LAB_PID: String(bed.record.holder?.pid ?? ''),
    }
    if (bed.record.cluster !== undefined) variables['KUBECONFIG'] = bed.cluster.kubeconfig
    for (const host of bed.hosts) {
      const suffix = host.name.toUpperCase().replaceAll('-', '_')
      variables[`LAB_PID_${suffix}`] = String(host.pid)
      variables[`LAB_ADDRESS_${suffix}`] = [host.address.v4, host.address.v6]
        .filter((one) => one !== undefined)
        .join(' ')
    }
    for (const [name, value] of Object.entries(variables))
      console.log(`export ${name}='${value.replaceAll("'", `'\\''`)}'`)
    // The rest of the caller's own PATH follows, unchanged.
    console.log(`export PATH='${searchPath(Object.values(bed.programs))}':"$PATH"`)
    return 0
  },
}
