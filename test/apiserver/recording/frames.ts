/** A frame of a WebSocket, as a client sends it if there is a mask. */
export function frame(payload: Buffer, { opcode = 2, isFinal = true, mask }: FrameOptions = {}): Buffer {
  const { length } = payload
  const size = length < 126 ? Buffer.of(length) : length < 65_536 ? Buffer.alloc(3, 126) : Buffer.alloc(9, 127)
  if (size.length === 3) size.writeUInt16BE(length, 1)
  if (size.length === 9) size.writeBigUInt64BE(BigInt(length), 1)
  if (mask) size[0]! |= 0x80
  const body = mask ? payload.map((byte, index) => byte ^ mask[index % 4]!) : payload
  return Buffer.concat([Buffer.of((isFinal ? 0x80 : 0) | opcode), size, mask ?? Buffer.alloc(0), body])
}
export type FrameOptions = { readonly opcode?: number; readonly isFinal?: boolean; readonly mask?: Buffer | undefined }

/** A message on a channel of Kubernetes. */
export const message = (channel: number, text: string | Buffer, mask?: Buffer): Buffer =>
  frame(Buffer.concat([Buffer.of(channel), Buffer.from(text)]), { mask })
