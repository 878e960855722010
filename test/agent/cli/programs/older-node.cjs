// Has this process say that it is an older Node.
Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.22.0' } })
