import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import org.opensearch.Version;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.PluginInfo;

/**
 * One real OpenSearch node in one JVM: the server's own Node class with the
 * standard modules taken from the class path. Each argument is a setting, NAME=VALUE.
 * It leaves out only the distribution's bootstrap (refusal to run as root,
 * memory lock, system call filter).
 */
public final class OpenSearchNode extends Node {

    private static final String[] MODULES = {
        "org.opensearch.transport.Netty4ModulePlugin",
        "org.opensearch.analysis.common.CommonAnalysisModulePlugin",
        "org.opensearch.index.reindex.ReindexModulePlugin",
        "org.opensearch.painless.PainlessModulePlugin",
        "org.opensearch.script.mustache.MustacheModulePlugin",
        "org.opensearch.script.expression.ExpressionModulePlugin",
        "org.opensearch.ingest.common.IngestCommonModulePlugin",
        "org.opensearch.index.mapper.MapperExtrasModulePlugin",
        "org.opensearch.join.ParentJoinModulePlugin",
        "org.opensearch.percolator.PercolatorModulePlugin",
        "org.opensearch.index.rankeval.RankEvalModulePlugin",
        "org.opensearch.search.aggregations.matrix.MatrixAggregationModulePlugin",
        "org.opensearch.geo.GeoModulePlugin",
        "org.opensearch.plugin.repository.url.URLRepositoryModulePlugin",
    };

    @SuppressWarnings({ "unchecked", "rawtypes" })
    private OpenSearchNode(Environment env) throws Exception {
        super(env, (Collection) modules(), true);
    }

    /** Release 3 wants descriptions of the modules, release 2 their classes. */
    private static Collection<?> modules() {
        List<Object> out = new ArrayList<>();
        for (String name : MODULES) {
            try {
                Class<?> type = find(name);
                out.add(Version.CURRENT.major >= 3
                    ? new PluginInfo(type.getName(), "module on the class path", "NA", Version.CURRENT,
                        Integer.toString(Runtime.version().feature()), type.getName(), Collections.emptyList(), false)
                    : type);
            } catch (ClassNotFoundException e) {
                System.err.println("module left out: " + name);
            }
        }
        return out;
    }

    /** Release 2 calls most of them ...Plugin, release 3 ...ModulePlugin. */
    private static Class<?> find(String name) throws ClassNotFoundException {
        try {
            return Class.forName(name);
        } catch (ClassNotFoundException e) {
            return Class.forName(name.replace("ModulePlugin", "Plugin"));
        }
    }

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
        Path config = Path.of(given.get("path.home"), "config");
        Files.createDirectories(config);
        String name = given.get("node.name");
        Environment env = InternalSettingsPreparer.prepareEnvironment(given, Map.of(), config, () -> name);
        LogConfigurator.registerErrorListener();
        LogConfigurator.setNodeName(name);
        LogConfigurator.configure(env);

        OpenSearchNode node = new OpenSearchNode(env);
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
