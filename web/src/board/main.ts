// The control room's live board. The page holds
//   <div data-island="board"></div>
// and may set data-zone (the force's time zone) and, for other servers or tests,
// data-incidents, data-stream, data-base and data-premises.
import { mount } from 'svelte'

import Board from './Board.svelte'

const target = document.querySelector<HTMLElement>('[data-island="board"]')
if (target !== null) {
  const { zone, incidents, stream, base, premises } = target.dataset
  target.replaceChildren()
  mount(Board, {
    target,
    props: {
      zone: zone ?? '',
      urls: {
        incidents: incidents ?? '/api/v1/incidents?state=open',
        stream: stream ?? '/api/v1/stream',
      },
      base: base ?? '/api/v1/map/base',
      premises: premises ?? '/api/v1/map/premises',
    },
  })
}
