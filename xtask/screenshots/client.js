// One room in Hydrogen, a Matrix web client. The fragment of the address says which: `homeserver`, `user`, `password`
// and `room`. `data-ready` on the body says when it is there, `data-failed` why not.

import {
  Client,
  LoadStatus,
  Platform,
  RoomView,
  RoomViewModel,
  createNavigation,
  createRouter,
  viewClassForTile,
} from 'hydrogen-view-sdk';
import 'hydrogen-view-sdk/theme-element-light.css';

const ASSETS = { downloadSandbox: '', worker: '', olm: { wasm: '/olm.wasm', legacyBundle: '', wasmBundle: '/olm.js' } };

async function show({ homeserver, user, password, room }) {
  const app = document.getElementById('app');
  const platform = new Platform({ container: app, assetPaths: ASSETS, config: {}, options: { development: false } });
  // In place of a service worker, which would add the token to requests for media: the browser's driver does.
  platform._serviceWorkerHandler = {
    getRegistration: async () => undefined,
    preventConcurrentSessionAccess: async () => {},
    setNavigation() {},
    updateAuthData() {},
  };
  const navigation = createNavigation();
  platform.setNavigation(navigation);
  const urlRouter = createRouter({ navigation, history: platform.history });
  urlRouter.attach();

  const client = new Client(platform);
  const login = await client.queryLogin(homeserver).result;
  client.startWithLogin(login.password(user, password));
  const over = [LoadStatus.Ready, LoadStatus.Error, LoadStatus.LoginFailed];
  await client.loadStatus.waitFor((status) => over.includes(status)).promise;
  if (client.loadStatus.get() !== LoadStatus.Ready) throw new Error(`not signed in: ${client.loadError}`);

  const viewModel = new RoomViewModel({
    room: client.session.rooms.get(room),
    ownUserId: client.session.userId,
    session: client.session,
    features: { calls: false, crossSigning: false },
    platform,
    navigation,
    urlRouter,
  });
  await viewModel.load();
  // This build's list does not hear that a picture came into sight, so all of them are in sight from the start.
  const { tiles } = viewModel.timelineViewModel;
  const ignored = () => {};
  tiles.subscribe({ onReset: ignored, onAdd: ignored, onUpdate: ignored, onRemove: ignored, onMove: ignored });
  for (const tile of tiles) tile.notifyVisible();
  app.append(new RoomView(viewModel, viewClassForTile).mount());
  document.body.dataset.ready = '';
}

show(Object.fromEntries(new URLSearchParams(location.hash.slice(1)))).catch((error) => {
  document.body.dataset.failed = String(error.stack ?? error);
});
