import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/**
 * One real Elasticsearch 8 node in one JVM: the server's own Node class and the
 * modules found under path.home/modules. Each argument is a setting, NAME=VALUE.
 */
public final class ElasticsearchNode {
    public static void main(String[] args) throws Exception {
        Settings.Builder settings = Settings.builder();
        for (String arg : args) {
            int at = arg.indexOf('=');
            String value = arg.substring(at + 1);
            if (value.startsWith("[") && value.endsWith("]")) {
                settings.putList(arg.substring(0, at), value.substring(1, value.length() - 1).split(","));
            } else {
                settings.put(arg.substring(0, at), value);
            }
        }
        Settings given = settings.build();
        String name = given.get("node.name");
        Path config = Path.of(given.get("path.home"), "config");
        Files.createDirectories(config);
        LogConfigurator.configureESLogging();
        LogConfigurator.setNodeName(name);
        Environment env = InternalSettingsPreparer.prepareEnvironment(given, Map.of(), config, () -> name);
        LogConfigurator.configure(env, true);

        Node node = new Node(env, PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(env.modulesDir()), Set.of(), Map.of(), false));
        CountDownLatch stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
                node.awaitClose(20, TimeUnit.SECONDS);
            } catch (Exception e) {
                System.err.println("close: " + e);
            } finally {
                stopped.countDown();
            }
        }, "engine-stop"));
        node.start();
        stopped.await();
    }
}
