/** Questions to the server: one on its way at a time; a movement that has come to rest goes before pictures and panels. */

const REST_MS = 120; // without a movement, before the new view is asked for
const SETTLED_MS = 500; // after its picture, before the panels count in it
const LOST_MS = 30_000; // without an answer, before another question may go

/**
 * @param {(wish: {look: number[], rested: boolean}) => number} send  sends a question and returns its number, 0 if it cannot
 */
function asking(send) {
  const wish = { view: false, look: [], rested: false };
  let followed = true; // by the panels, once the view has come to rest
  let flying = 0; // number of the question on its way
  const timers = {};

  const later = (name, ms, action) => {
    clearTimeout(timers[name]);
    timers[name] = setTimeout(action, ms);
  };
  const ask = () => {
    if (flying || !(wish.view || wish.look.length || wish.rested)) return;
    const { view } = wish;
    flying = send({ look: wish.look, rested: wish.rested && !view });
    if (!flying) return;
    Object.assign(wish, { view: false, look: [], rested: view && followed });
    later("lost", LOST_MS, () => {
      flying = 0;
      ask();
    });
  };

  return {
    /** Ask for the view, at once or once it rests; `follow`: the panels are to count in it, too. */
    view({ now = false, follow = true } = {}) {
      followed = follow;
      clearTimeout(timers.settled);
      clearTimeout(timers.rest);
      const go = () => {
        wish.view = true;
        ask();
      };
      if (now) go();
      else timers.rest = setTimeout(go, REST_MS);
    },
    /** Ask for pictures of rows. */
    look(rows) {
      wish.look = rows;
      ask();
    },
    /** An answer is here, and drawn. */
    answered(number) {
      if (number < flying) return;
      flying = 0;
      clearTimeout(timers.lost);
      if (wish.view || wish.look.length) ask();
      else if (wish.rested) later("settled", SETTLED_MS, ask);
    },
    /** Forget what is on its way: it was of another atlas. */
    forget() {
      flying = 0;
      Object.assign(wish, { view: false, look: [], rested: false });
    },
    stop: () => Object.values(timers).forEach(clearTimeout),
  };
}
