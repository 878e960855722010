export const oneOf = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)]!
