// Runs as a separate process: node tailnet.ts SOCKET
// The LocalAPI of a tailscaled in a large tailnet that changes all the time. It sends by IPC the number of each change
// of its node, and of the peer `mover` with it; the number is in the node's name and in both nodes' addresses. It
// pauses when it gets any message.
import { createServer, type ServerResponse } from 'node:http'

const peers = 10_000
/** Changes a second; one in `everySelfChange` is a change of the node and the peer `mover`. */
const rate = 100
const everySelfChange = 5
const everyNews = 50
/** Now and then, what daemons before 1.100 write at each change: 10 MB. */
const everyNetmap = 200
/** The daemon ends the watch of a client that does not read. */
const maxQueued = 64 * 1024 * 1024

const [socket = ''] = process.argv.slice(2)
const byte = (number: number, shift: number): number => (number >> shift) & 255

/** A node as the daemon writes it; the last two bytes of its address are `host`. */
const node = (id: number, name: string, network: number, host = id) => ({
  ID: id,
  StableID: `nLAB${id}`,
  Name: `${name}.lab.ts.net.`,
  User: 1,
  Key: `nodekey:${String(id).padStart(64, 'd3e47642')}`,
  Machine: `mkey:${String(id).padStart(64, '99756457')}`,
  DiscoKey: `discokey:${String(id).padStart(64, 'f16ee046')}`,
  Addresses: [
    `100.${network}.${byte(host, 8)}.${byte(host, 0)}/32`,
    `fd7a:115c:a1e0::${network}:${host.toString(16)}/128`,
  ],
  AllowedIPs: [
    `100.${network}.${byte(host, 8)}.${byte(host, 0)}/32`,
    `fd7a:115c:a1e0::${network}:${host.toString(16)}/128`,
  ],
  Endpoints: ['10.99.0.10:46094', '[fd99::10]:51213'],
  HomeDERP: 1,
  Hostinfo: {
    IPNVersion: '1.102.5',
    OS: 'linux',
    OSVersion: '6.18.44',
    Distro: 'debian',
    Hostname: name,
    Machine: 'x86_64',
    GoVersion: 'go1.26.8',
    Services: [
      { Proto: 'peerapi4', Port: 58_436 },
      { Proto: 'peerapi6', Port: 33_715 },
    ],
    NetInfo: { WorkingIPv6: true, WorkingUDP: true, PreferredDERP: 1, DERPLatency: { '1-v4': 0.0108, '1-v6': 0.0127 } },
  },
  Created: '2026-01-01T00:00:00.052484473Z',
  Cap: 142,
  Online: id % 3 !== 0,
  MachineAuthorized: true,
  CapMap: { funnel: [], https: [], 'https://tailscale.com/cap/file-sharing': [] },
  ComputedName: name,
  ComputedNameWithHost: name,
})
const self = (number: number) => node(number, `proxy-${number}`, 64)
const peer = (id: number) => node(id, `peer-${id}`, 80)
const mover = (number: number) => node(peers, 'mover', 90, number)

const allPeers = Buffer.from(Array.from({ length: peers }, (_, id) => JSON.stringify(peer(id))).join(','))
const line = (fields: object): string =>
  JSON.stringify({ Version: '1.102.5', ErrMessage: null, LoginFinished: null, State: null, ...fields })

let number = 0
let resting = false
const changed = (): object => {
  number += 1
  process.send?.(number)
  return self(number)
}

/** Writes a line with a netmap of all peers. */
function writeNetmap(response: ServerResponse): void {
  const [before, after] = line({ NetMap: { SelfNode: changed(), Peers: [mover(number), '…'] } }).split('"…"')
  for (const part of [before, allPeers, `${after}\n`]) response.write(part ?? '')
}

/** Sends all changes to a watcher, `rate` a second. */
function sendChanges(response: ServerResponse): void {
  const began = performance.now()
  let count = 0
  response.write(`${line({ State: 6, Prefs: { NoSNAT: false }, Health: { Warnings: null } })}\n`)
  const timer = setInterval(() => {
    if (response.writableLength > maxQueued) {
      clearInterval(timer)
      response.end(`${line({ ErrMessage: 'IPN bus consumer fell behind; closing watch' })}\n`)
      return
    }
    const due = resting ? count : ((performance.now() - began) / 1000) * rate
    for (; count < due; count += 1) {
      if (count % everyNetmap === 0) writeNetmap(response)
      else {
        const text = count % (2 * everyNews) === 0 ? 'peers cannot be reached' : ''
        const fields = {
          ...(count % everySelfChange === 0 && { SelfChange: changed() }),
          PeersChanged: [peer(count % peers), ...(count % everySelfChange === 0 ? [mover(number)] : [])],
          ...(count % everyNews === 0 && { Health: { Warnings: text === '' ? null : { reach: { Text: text } } } }),
        }
        response.write(`${line(fields)}\n`)
      }
    }
  }, 1000 / rate)
  response.on('close', () => clearInterval(timer))
}

/** A node as it is in a status. */
const peerStatus = ({ ID, StableID, Name, Key, Addresses, AllowedIPs, ...rest }: ReturnType<typeof node>) => {
  const TailscaleIPs = Addresses.map((prefix) => prefix.split('/')[0])
  return { ID: StableID, NodeID: ID, PublicKey: Key, DNSName: Name, TailscaleIPs, AllowedIPs, ...rest }
}
const allPeerStatuses = Buffer.from(
  Array.from(
    { length: peers },
    (_, id) => `${JSON.stringify(peer(id).Key)}:${JSON.stringify(peerStatus(peer(id)))}`,
  ).join(','),
)

function writeStatus(response: ServerResponse, withPeers: boolean): void {
  const Peer = withPeers ? { [mover(number).Key]: peerStatus(mover(number)), '…': 0 } : null
  const ExtraRecords = [{ Name: 'db.lab.ts.net', Value: '100.99.0.1' }]
  const status = { BackendState: 'Running', AuthURL: '', Self: peerStatus(self(number)), ExtraRecords, Peer }
  const [before, after] = JSON.stringify(status).split('"…":0')
  for (const part of after === undefined ? [before] : [before, allPeerStatuses, after]) response.write(part ?? '')
  response.end()
}

createServer(({ url = '' }, response) => {
  if (url.startsWith('/localapi/v0/watch-ipn-bus')) sendChanges(response.writeHead(200))
  else if (url.startsWith('/localapi/v0/status')) writeStatus(response, !url.includes('peers=false'))
  else response.writeHead(404).end()
}).listen(socket, () => process.send?.('ready'))
process.on('message', () => (resting = true))
