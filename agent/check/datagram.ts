import { createSocket, type Socket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { readFile } from 'node:fs/promises'
import type { Address, Family } from '../../lib/address.ts'
import type { Clock } from '../../lib/clock.ts'
import { codeOf } from '../../lib/errors.ts'

/** The bytes of the headers of IP and UDP. */
const headers: Readonly<Record<Family, number>> = { 4: 28, 6: 48 }
/** A port that nothing listens on, as traceroute has it: the other side answers that, which shows that it got there. */
const closedPort = 33_434
const tries = 3
const waitMs = 1000

/**
 * Whether a packet of `bytes` bytes, which may not be fragmented on the way unless routers say so, reaches an address.
 * It needs no rights: a datagram is sent to a closed port, and the refusal is the answer. `false` also if nothing there
 * answers at all.
 */
export async function arrives(address: Address, bytes: number, clock: Clock, signal: AbortSignal): Promise<boolean> {
  const socket = socketOf(address)
  const answered = new AbortController()
  const over = AbortSignal.any([signal, answered.signal])
  let isThere = false
  const answer = (): void => {
    isThere = true
    answered.abort()
  }
  // What cannot be sent, or is not let out, does not arrive.
  const failed = (error: unknown): void => {
    if (codeOf(error) === 'ECONNREFUSED') answer()
  }
  socket.on('message', answer)
  socket.on('error', failed)
  try {
    await connected(socket, address)
    const payload = Buffer.alloc(Math.max(0, bytes - headers[address.family]))
    for (let left = tries; left > 0 && !over.aborted; left -= 1) {
      socket.send(payload, (error) => {
        if (error !== null) failed(error)
      })
      await clock.sleep(waitMs, over)
    }
    return isThere
  } catch {
    return false
  } finally {
    socket.close()
  }
}

/** The device through which an address is reached, and its MTU in bytes; undefined if there is no way. */
export async function wayTo(address: Address): Promise<{ device: string; mtu: number } | undefined> {
  const socket = socketOf(address)
  try {
    await connected(socket, address)
    const own = socket.address().address
    const [device] =
      Object.entries(networkInterfaces()).find(([, all = []]) => all.some((one) => one.address === own)) ?? []
    return device === undefined ? undefined : { device, mtu: await mtuOf(device) }
  } catch {
    return undefined
  } finally {
    socket.close()
  }
}

const socketOf = ({ family }: Address): Socket => createSocket(family === 4 ? 'udp4' : 'udp6')

/** Nothing is sent for that: the kernel chooses the way, or says that there is none. */
const connected = (socket: Socket, { text }: Address): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.connect(closedPort, text, () => resolve())
  })

const mtuOf = async (device: string): Promise<number> => Number(await readFile(`/sys/class/net/${device}/mtu`, 'utf8'))

/**
 * The largest size of which packets arrive, among usual ones up to `most`; 0 if not even small ones do.
 * @param reaches whether packets of a size arrive; if they do, smaller ones do, too.
 */
export async function largestThatArrives(most: number, reaches: (bytes: number) => Promise<boolean>): Promise<number> {
  if (!(await reaches(smallest))) return 0
  if (await reaches(most)) return most
  const sizes = usual.filter((size) => size < most)
  let [arrived, lost] = [-1, sizes.length]
  while (lost - arrived > 1) {
    const middle = Math.floor((arrived + lost) / 2)
    if (await reaches(sizes[middle]!)) arrived = middle
    else lost = middle
  }
  return sizes[arrived] ?? smallest
}

const smallest = 100
const usual = [576, 1000, 1240, 1280, 1340, 1360, 1380, 1400, 1420, 1440, 1450, 1480, 1492, 1500, 8900]
